"""A test: the message as somebody real would get it, to a few numbers of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.message.check import check
from campaigns.message.content import AlimtalkContent, Content, TextContent, content_of
from campaigns.message.facts import facts_of
from campaigns.message.personalise import used_fields
from campaigns.message.render import Left, render
from campaigns.message.validate import Problem
from campaigns.models import Campaign, Recipient, Rules, Run, RunKind
from campaigns.rules import rules_of
from campaigns.sending import history
from campaigns.sending.launch import CannotLaunch, make_run
from campaigns.sql import RESERVED
from cohorts.models import Profile
from integrations.messaging import Channel, Kind
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.phone import REASONS, normalise

MARK = "[테스트] "
MOST_NUMBERS = 5


def send_test(
    campaign: Campaign,
    *,
    to: Sequence[str],
    by: Any,
    as_profile: Profile | None = None,
    values: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
) -> Run:
    """Sends the campaign's message, as it is saved, to one to five numbers in any spelling, filled in with the values
    of `as_profile` (or with `values`, of a file's row); marked as a test where the channel allows it. It obeys the
    night and opt-outs as the real one does; consent isn't asked for. Raises CannotLaunch."""
    phones, problems = _numbers(to)
    if campaign.channel not in Channel.values:
        problems.append(Problem("channel", "required", _("발송 채널을 골라 주세요.")))
    if not problems:
        rules = rules_of(campaign.project)
        content = content_of(campaign.channel, campaign.message)
        problems += check(content, rules, facts_of(campaign))
    if problems:
        raise CannotLaunch(problems)
    filled = dict(values) if values is not None else values_of(as_profile, used_fields(content))
    message = marked(content, filled, rules).as_json()
    with transaction.atomic():
        row = Campaign.objects.select_for_update().get(pk=campaign.pk)
        run = make_run(row, timezone.now(), by=getattr(by, "email", ""), kind=RunKind.TEST, size=len(phones))
        Run.objects.filter(pk=run.pk).update(message=message)
        external_id = as_profile.external_id if as_profile else ""
        Recipient.objects.bulk_create(
            [Recipient(run=run, phone=phone, external_id=external_id, values=filled) for phone in phones]
        )
        history.note(row, "tested", run=run, by=getattr(by, "email", ""), size=len(phones))
        record(
            Action.TEST_SENT,
            project_id=row.project_id,
            actor=by,
            request=request,
            target=row.name,
            campaign=row.pk.hex,
            size=len(phones),
        )
    run.refresh_from_db()
    return run


def _numbers(given: Sequence[str]) -> tuple[list[str], list[Problem]]:
    phones: list[str] = []
    problems: list[Problem] = []
    for text in given:
        phone, raw, reason = normalise(text)
        if phone is None:
            words = _("%(number)s: %(reason)s") % {"number": raw or "–", "reason": REASONS[reason]}
            problems.append(Problem("to", reason, words))
        elif phone not in phones:
            phones.append(phone)
    if not phones and not problems:
        problems.append(Problem("to", "required", _("테스트를 받을 휴대전화 번호를 써 주세요.")))
    if len(phones) > MOST_NUMBERS:
        words = _("테스트는 한 번에 %(n)d개 번호까지 보낼 수 있습니다.") % {"n": MOST_NUMBERS}
        problems.append(Problem("to", "too_many", words))
    return phones, problems


def values_of(profile: Profile | None, fields: Sequence[str]) -> dict[str, Any]:
    """What a message's variables would be filled with for this person; nothing for nobody."""
    if profile is None:
        return {}
    own = {name: getattr(profile, column) for name, column in RESERVED.items() if name in fields}
    others = {name: profile.properties[name] for name in fields if name in profile.properties}
    return others | {name: value for name, value in own.items() if value is not None}


def marked(content: Content, values: Mapping[str, Any], rules: Rules) -> Content:
    """The content with `[테스트]` in front, unless that would make it another kind of message, or too long. An 알림톡
    reads as it was approved; its fallback text can be marked."""
    if isinstance(content, AlimtalkContent):
        if content.fallback is None or not content.fallback.is_own:
            return content
        candidate: Content = replace(content, fallback=replace(content.fallback, text=MARK + content.fallback.text))
    elif isinstance(content, TextContent) and content.title and content.kind != Kind.SMS:
        candidate = replace(content, title=MARK + content.title)
    else:
        candidate = replace(content, text=MARK + content.text)
    before, after = render(content, values, rules), render(candidate, values, rules)
    if isinstance(after, Left) or isinstance(before, Left) or before.kind != after.kind or after.fallback_left:
        return content
    return candidate
