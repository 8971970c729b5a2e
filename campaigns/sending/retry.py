"""Sending once more: to those whom a passing fault kept from getting it, once for each run."""

from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.message.validate import Problem
from campaigns.models import Campaign, CampaignState, Recipient, RecipientState, Run, RunKind, RunState
from campaigns.sending import history
from campaigns.sending.launch import CannotLaunch, make_run
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record

OVER = (RunState.DONE, RunState.CANCELLED)


def retriable(run: Run) -> Any:
    """Whom a new attempt may reach: a passing fault, and no text message that went out instead."""
    return Recipient.objects.filter(run=run, state=RecipientState.FAILED, is_transient=True, was_replaced=False)


def retry_failures(run: Run, *, by: Any, request: HttpRequest | None = None) -> Run:
    """A run for those of `run` who failed for a passing fault; the one that there is when it was asked for before. An
    ended campaign is active again for it. Raises CannotLaunch when there is nobody, or the run is still going."""
    if run.kind == RunKind.TEST or run.state not in OVER:
        raise CannotLaunch([Problem("run", "still_going", _("아직 보내는 중입니다. 끝난 뒤 다시 시도하세요."))])
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().get(pk=run.campaign_id)
        if (made := Run.objects.filter(retry_of=run).first()) is not None:
            return made
        if campaign.state == CampaignState.ENDED:
            Campaign.objects.filter(pk=campaign.pk).update(state=CampaignState.ACTIVE, ended_at=None)
        made = make_run(
            campaign,
            timezone.now(),
            by=getattr(by, "email", ""),
            kind=RunKind.RETRY,
            retry_of=run,
            snapshot_id=run.snapshot_id,
            snapshot_number=run.snapshot_number,
            upload_id=run.upload_id,
        )
        size = _copy(run, made)
        if size == 0:
            raise CannotLaunch([Problem("run", "nobody", _("다시 보낼 수 있는 일시적 실패가 없습니다."))])
        same = {"channel": run.channel, "message": run.message, "unit_prices": run.unit_prices}
        Run.objects.filter(pk=made.pk).update(size=size, **same)
        history.note(campaign, "retried", run=made, by=getattr(by, "email", ""), size=size, of=run.which)
        record(
            Action.RUN_RETRIED,
            project_id=run.project_id,
            actor=by,
            request=request,
            target=campaign.name,
            campaign=campaign.pk.hex,
            run=run.which,
            size=size,
        )
    made.refresh_from_db()
    return made


def _copy(run: Run, onto: Run) -> int:
    """The same people with the same values, written by the database itself; how many."""
    people = retriable(run).order_by("pk").values("profile_id", "external_id", "phone", "values")
    columns = {one.column: one for one in Recipient._meta.concrete_fields if not one.primary_key}
    fresh = Recipient(run=onto)
    copied = ("profile_id", "external_id", "phone", "values")
    rest = {name: one.get_db_prep_save(one.pre_save(fresh, add=True), connection) for name, one in columns.items()}
    rest = {name: value for name, value in rest.items() if name not in copied and value is not None}
    sql, parameters = people.query.sql_with_params()
    names = ", ".join(f'"{name}"' for name in (*copied, *rest))
    given = ", ".join(["%s"] * len(rest))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Recipient._meta.db_table} ({names}) SELECT old.*, {given} FROM ({sql}) AS old",  # noqa: S608
            [*rest.values(), *parameters],
        )
        return int(cursor.rowcount)
