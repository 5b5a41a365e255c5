"""What concerns all companies: DAGs that do not run, why none is read, the month's quota of reads, and the webhook."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

from include.errors import ThrottledError
from include.receivables.alerts import payments
from include.receivables.alerts.facts import DELIVERY, NONE_READ, PROOF, SYNC, WEBHOOK_MARGIN
from include.receivables.alerts.model import LATE, Cause, tell_age, tell_count, tell_moment
from include.receivables.alerts.proofs import has_no_proof, is_overdue
from include.receivables.company import quota

if TYPE_CHECKING:
    from include.receivables.alerts.facts import CompanyState, Facts, OpenProblems
    from include.receivables.alerts.payments import Money

# A minute before its companies are late, so that it is told in their place.
STOPPED_AFTER = LATE - timedelta(minutes=1)
# Of the month's quota of reads.
NEARLY = 0.8
LOOK_INTO_AIRFLOW = "See in Airflow whether its scheduler runs and the DAG is not paused."


@dataclass(frozen=True, slots=True)
class Stops:
    """
    What keeps all companies from being read or delivered to.

    :param are_cycles_over: whether the cycles of syncs do not come.
    :param are_deliveries_over: whether nobody looks at queued payments.
    :param are_proofs_over: whether no company is proved.
    :param common_code: of the reason for which several companies fail, while none is read.
    :param refuses_reads: whether QuickBooks has refused all reads of late.
    :param is_used_up: whether it has for so long that the quota must be used up.
    """

    are_cycles_over: bool
    are_deliveries_over: bool
    are_proofs_over: bool
    common_code: str | None
    refuses_reads: bool
    is_used_up: bool

    def explain(self, failure: OpenProblems | None) -> bool:
        """Tell whether it is not a company's own trouble that it is not read."""
        is_refused = self.refuses_reads and failure is not None and failure.code == ThrottledError.code
        return self.are_cycles_over or self.is_used_up or is_refused or self.have_in_common(failure)

    def have_in_common(self, failure: OpenProblems | None) -> bool:
        """Tell whether a company fails for what is told of all."""
        if failure is None:
            return False
        return failure.code == self.common_code or (self.is_used_up and failure.code == ThrottledError.code)


def find_stops(facts: Facts) -> Stops:
    """Find what keeps all companies from being read or delivered to."""
    app = facts.app
    is_used_up, refused_since = facts.quota.is_used_up, facts.quota.refused_since
    is_cycle_due = any(_is_cycle_due(company) for company in facts.companies)
    are_cycles_over = app.cycle_started_at is None or app.read_at - app.cycle_started_at > STOPPED_AFTER
    # Where the cycles had stopped too, the deliveries are given as long to come back as the companies are.
    is_round_due = (
        app.queued_since is not None and app.read_at - app.queued_since > LATE and app.cycles_since is None
    )
    are_rounds_over = app.delivered_at is None or app.read_at - app.delivered_at > LATE
    are_cycles_missed = is_cycle_due and are_cycles_over and not is_used_up
    common_code = facts.common.code if facts.common and not are_cycles_missed else None
    is_proved_late = any(has_no_proof(company, app) for company in facts.companies)
    return Stops(
        # While the quota is used up there is a cycle an hour.
        are_cycles_over=are_cycles_missed,
        are_deliveries_over=is_round_due and are_rounds_over,
        are_proofs_over=is_proved_late
        and not (are_cycles_missed or is_used_up or common_code)
        and is_overdue(app.proved_at, app),
        common_code=common_code,
        refuses_reads=refused_since is not None and app.read_at - refused_since > NONE_READ,
        is_used_up=is_used_up,
    )


def list_app_causes(facts: Facts, stops: Stops) -> list[Cause]:
    """List what is wrong with all companies at once."""
    found = (
        _look_at_dags(facts, stops),
        _look_at_common_failure(facts, stops),
        _look_at_proofs(facts, stops),
        _look_at_quota(facts),
        _look_at_forged(facts),
        _look_at_silence(facts),
    )
    return [cause for cause in found if cause is not None]


def _is_cycle_due(company: CompanyState) -> bool:
    """Tell whether a cycle should have read a company by now."""
    return (
        company.status == "connected"
        and company.is_imported
        and not company.is_held
        and company.read_at - company.may_be_read_since > STOPPED_AFTER
    )


def _look_at_dags(facts: Facts, stops: Stops) -> Cause | None:
    waiting = payments.late_in_queue(chain.from_iterable(facts.held.values()))
    if stops.are_cycles_over:
        return _stopped(facts, SYNC, "nothing is read from QuickBooks", waiting)
    if stops.are_deliveries_over and waiting.count:
        return _stopped(facts, DELIVERY, "no payment goes to QuickBooks", waiting)
    return None


def _look_at_common_failure(facts: Facts, stops: Stops) -> Cause | None:
    failure = facts.common
    if failure is None or not stops.common_code:
        return None
    if failure.answered_at is not None and facts.app.read_at - failure.answered_at <= STOPPED_AFTER:
        return None
    cause = Cause(
        company_id="",
        code="nothing_read",
        detail="",
        level="danger",
        sentence=f"None of {tell_count(failure.companies, 'company', 'companies')} could be read since "
        f"{tell_moment(failure.since)}. {failure.message}",
        remedy=failure.remedy,
        owner=failure.owner,
        action="",
        count=failure.companies,
        since=failure.since,
    )
    return payments.add_waiting(cause, payments.follow_a_stop(chain.from_iterable(facts.held.values())))


def _look_at_proofs(facts: Facts, stops: Stops) -> Cause | None:
    if not stops.are_proofs_over:
        return None
    since = facts.app.proved_at
    proved = (
        f"has proved nothing for {tell_age(facts.app.read_at - since)}" if since else "has proved nothing yet"
    )
    return Cause(
        company_id="",
        code="dag_not_running",
        detail=PROOF,
        level="warning",
        sentence=f"{PROOF} {proved}: whether Peakflo has what QuickBooks has is not known.",
        remedy=f"{LOOK_INTO_AIRFLOW} If it runs, its log says why nothing is proved.",
        owner="data engineer",
        action="",
        since=since,
    )


def _stopped(facts: Facts, dag_id: str, consequence: str, waiting: Money) -> Cause:
    app = facts.app
    since = app.cycle_started_at if dag_id == SYNC else app.delivered_at
    ran = f"has not run for {tell_age(app.read_at - since)}" if since else "has not run yet"
    wait = f", and {waiting.words} {'waits' if waiting.count == 1 else 'wait'}" if waiting.count else ""
    return Cause(
        company_id="",
        code="dag_not_running",
        detail=dag_id,
        level="danger",
        sentence=f"{dag_id} {ran}: {consequence}{wait}.",
        remedy=LOOK_INTO_AIRFLOW,
        owner="data engineer",
        action="",
        amounts=waiting.amounts,
        count=waiting.count,
        since=since,
    )


def _look_at_quota(facts: Facts) -> Cause | None:
    if facts.quota.is_used_up:
        return Cause(
            company_id="",
            code="quota_used_up",
            detail="",
            level="danger",
            sentence=facts.quota.sentence,
            remedy=quota.CURE,
            owner="data engineer",
            action="",
            count=facts.app.metered_calls,
            since=facts.quota.refused_since,
        )
    used, allowed = facts.app.metered_calls, facts.app.monthly_reads
    if used < NEARLY * allowed:
        return None
    return Cause(
        company_id="",
        code="quota_nearly_used",
        detail="",
        level="warning",
        sentence=f"{used:,} of the month's {allowed:,} metered reads are used, {used / allowed:.0%}: beyond them "
        "QuickBooks refuses reads until next month.",
        remedy="Take a higher tier at Intuit, or have fewer companies read.",
        owner="data engineer",
        action="",
        count=used,
    )


def _look_at_forged(facts: Facts) -> Cause | None:
    forged = facts.app.forged
    if forged < 2:
        return None
    return Cause(
        company_id="",
        code="webhook_forged",
        detail="",
        level="warning",
        sentence=f"{forged:,} webhook deliveries of the last hour bear a wrong signature, and were not read.",
        remedy="Copy the verifier token from the app's webhooks page at Intuit into the connection 'quickbooks'; if it "
        "is the same, somebody else sends them.",
        owner="data engineer",
        action="",
        count=forged,
        since=facts.app.forged_since,
    )


def _look_at_silence(facts: Facts) -> Cause | None:
    if not facts.silent:
        return None
    names = [each.company_id for each in facts.silent]
    companies = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    since = max(each.received_at for each in facts.silent)
    return Cause(
        company_id="",
        code="webhook_silent",
        detail="",
        level="warning",
        sentence=f"QuickBooks' webhook has been silent since {tell_moment(since)}, though records were made in "
        f"{tell_count(len(names), 'company', 'companies')}: {companies}. They came with the 5-minute sync.",
        remedy="See on the app's webhooks page at Intuit whether the endpoint is right, and whether the internet "
        "reaches it.",
        owner="data engineer",
        action="",
        count=len(names),
        since=since + WEBHOOK_MARGIN,
    )
