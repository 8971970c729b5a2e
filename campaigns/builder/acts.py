"""What a button of the builder does to a draft before it is saved: the link buttons of a 친구톡, pictures, files,
characters that can't be sent. Buttons of the form, so that everything works without scripts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext as _

from campaigns.audience.files import LONGEST_NAME, PHONE_COLUMN, BadFile
from campaigns.audience.uploads import read_csv
from campaigns.builder.forms import Refusals
from campaigns.message import limits
from campaigns.message.characters import mended
from campaigns.message.pictures import measure
from campaigns.models import AudienceKind, Campaign, Picture
from integrations.messaging import Channel

MOST_PICTURE_BYTES = limits.FRIENDTALK_PICTURE_BYTES
WITH_PICTURES = (Channel.FRIENDTALK, Channel.TEXT)


@dataclass
class Done:
    """What an act left to be shown: parts of the page to send anew, texts to put into fields."""

    again: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    focused_button: int | None = None
    toast: str = ""


@dataclass(frozen=True)
class Act:
    """A button that was pressed: its name, and what stands behind the colon of its value."""

    name: str
    what: str = ""

    @classmethod
    def of(cls, value: str) -> "Act":
        """From the value of `do`."""
        name, _colon, what = value.partition(":")
        return cls(name, what)

    @property
    def number(self) -> int:
        """`what` as a number; -1 for none."""
        return int(self.what) if self.what.isascii() and self.what.isdecimal() and len(self.what) < 10 else -1


def perform(campaign: Campaign, act: Act, request: HttpRequest, refused: Refusals) -> Done:
    """Does to the unsaved draft what the button is for; nothing for a button that is about something else. What it
    can't do is said in `refused`."""
    done = Done()
    rule = _ACTS.get(act.name)
    if rule is not None:
        rule(campaign, act, request, refused, done)
    return done


# -- Link buttons -----------------------------------------------------------------------------------------------------
def _button(campaign: Campaign, act: Act, request: HttpRequest, refused: Refusals, done: Done) -> None:
    buttons: list[dict[str, str]] = campaign.kept.get(Channel.FRIENDTALK, {}).get("buttons", [])
    at = act.number
    done.again.add("buttons")
    if act.name == "button-new":
        if len(buttons) < limits.BUTTONS:
            buttons.append({"name": "", "mobile_url": "", "pc_url": ""})
            done.focused_button = len(buttons) - 1
        return
    if not 0 <= at < len(buttons):
        return
    if act.name == "button-gone":
        del buttons[at]
        return
    to = at + (-1 if act.name == "button-up" else 1)
    if 0 <= to < len(buttons):
        buttons[at], buttons[to] = buttons[to], buttons[at]


# -- Pictures ---------------------------------------------------------------------------------------------------------
def _picture(campaign: Campaign, act: Act, request: HttpRequest, refused: Refusals, done: Done) -> None:
    if act.what not in WITH_PICTURES or act.what not in campaign.kept:
        return
    done.again.add(f"picture-{act.what}")
    if act.name == "no-picture":
        campaign.kept[act.what]["picture"] = ""
        return
    kept = keep_picture(campaign, request.FILES.get(f"{act.what}.file"), f"{act.what}.picture", refused)
    if kept is not None:
        campaign.kept[act.what]["picture"] = kept.pk.hex


def keep_picture(campaign: Campaign, file: UploadedFile | None, name: str, refused: Refusals) -> Picture | None:
    """The uploaded picture as a row of the project; None, with a word in `refused`, where it is none that can be kept.
    Whether a channel takes it is for the checks to say: it stays, so that one sees what is wrong with it."""
    if file is None or not file.size:
        refused.add(name, _("올릴 사진을 골라 주세요."))
        return None
    if file.size > MOST_PICTURE_BYTES:
        refused.add(name, _("사진은 5MB까지 올릴 수 있습니다."))
        return None
    content = file.read()
    facts = measure(content)
    if facts is None:
        refused.add(name, _("JPG나 PNG 사진만 올릴 수 있습니다."))
        return None
    return Picture.objects.create(
        project_id=campaign.project_id,
        name=(file.name or "")[:255],
        media_type=facts.media_type,
        content=content,
        width=facts.width,
        height=facts.height,
    )


# -- Characters that can't be sent ------------------------------------------------------------------------------------
def _mend(campaign: Campaign, act: Act, request: HttpRequest, refused: Refusals, done: Done) -> None:
    """Replaces, in one text, each character that carriers can't carry by what is offered for it."""
    channel, _dot, path = act.what.partition(".")
    holder: Any = campaign.kept.get(channel)
    *steps, last = path.split(".")
    for step in steps:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if isinstance(holder, dict) and isinstance(holder.get(last), str):
        holder[last] = done.texts[act.what] = mended(holder[last])


# -- A file as the audience -------------------------------------------------------------------------------------------
def _csv(campaign: Campaign, act: Act, request: HttpRequest, refused: Refusals, done: Done) -> None:
    """The uploaded file becomes the audience; one that can't be used leaves the audience as it was."""
    done.again.add("csv")
    file = request.FILES.get("file")
    if file is None:
        refused.add("upload", _("올릴 CSV 파일을 골라 주세요."))
        return
    column = request.POST.get("phone_column", "").strip()[:LONGEST_NAME] or PHONE_COLUMN
    try:
        campaign.upload = read_csv(
            campaign.project, file.name or "", cast(BinaryIO, file.file), str(request.user), phone_column=column
        )
    except BadFile as error:
        refused.add("upload", str(error))
        return
    campaign.audience_kind = AudienceKind.CSV


_ACTS: dict[str, Callable[[Campaign, Act, HttpRequest, Refusals, Done], None]] = {
    "csv": _csv,
    "button-new": _button,
    "button-up": _button,
    "button-down": _button,
    "button-gone": _button,
    "picture": _picture,
    "no-picture": _picture,
    "mend": _mend,
}
