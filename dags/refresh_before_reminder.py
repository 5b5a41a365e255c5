"""
### Refresh before a reminder

The reminder service triggers this right before it sends reminders for a company, and reads for each invoice whether to
send. `docs/reminder-service.md` is the contract. In this order, in one task and about a tenth of a second:

1. From Peakflo's tables: which invoices, which QuickBooks Ids, which customers.
2. From QuickBooks, all at once: what changed since the last read (payments, credit memos and customers among it), the
   invoices by Id, and their customers by Id. A second time only for a record that one of these points at and that was
   never read. What has not come half a second before the deadline is left out.
3. In one transaction: staged, mapped and merged with the statements of the 5-minute sync, which may be running; each
   invoice judged; the verdicts kept in `peakflo.reminder_verdict`.

The verdicts are **send** with QuickBooks' open balance, **hold** with the reasons, **unknown** where QuickBooks could
not be asked. The reminder service reads them from `/quickbooks/companies/<company>/reminders/<run>`, which answers from
the table; the returned value shows them to people, and anybody who may trigger this could change it.
`peakflo.latest_verdict` has the last one of each invoice, with its evidence.

**When a run fails** some verdict is `unknown`, and no reminder goes out for that invoice; the others stand. The last
line of the log says how many and why, `sync.run` has the error in full. Nothing has to be repeated here: the reminder
service asks again with a run of its own.

* `quickbooks_unreachable`, `throttled`, `deadline`: it passes by itself; look at QuickBooks' status if it stays.
* `reauthorize`, `disconnected`, `paused`: connect the company again, or let it go on.
* `import_needed`, `deletion_brake`: see `import_company` and `quickbooks_to_peakflo`.
* `invoice_not_found`, `other_company`, `no_company`: the reminder service asked for what the company does not have.

**Cost.** Three metered calls per run, one more per 500 invoices or customers.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from airflow.sdk import Param, dag, get_current_context
from airflow.sdk.exceptions import AirflowFailException

from include.company_operator import company_task
from include.dag_defaults import (
    COMPANY_ID_SCHEMA,
    DEFAULT_ARGS,
    ON_DEMAND,
    RECEIVABLES_CHANGES,
    REMINDER_POOL,
    REMINDER_PRIORITY,
    REMINDER_QUEUE,
    company_page,
    refuse_unknown,
)

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 10
LONGEST_DEADLINE_SECONDS = 300
# UUIDs as Peakflo's API writes them. The examples are those of an item: of a list with examples of its own, Airflow's
# form lets people choose among these only.
PEAKFLO_IDS: dict[str, Any] = {
    "type": ["null", "array"],
    "items": {
        "type": "string",
        "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        "maxLength": 36,
        "examples": ["029e36d4-1474-8d5e-8e57-01996332a6e7"],
    },
    "minItems": 1,
    "maxItems": 1000,
}


@dag(
    dag_display_name="Refresh before a reminder",
    description="Asked for by the reminder service: invoices of one company read afresh, and a verdict on each.",
    schedule=None,
    catchup=False,
    allowed_run_types=ON_DEMAND,
    max_active_runs=64,
    dagrun_timeout=timedelta(seconds=LONGEST_DEADLINE_SECONDS + 60),
    default_args=DEFAULT_ARGS | {"retries": 0},
    params={
        "company_id": Param(**COMPANY_ID_SCHEMA),
        "invoice_ids": Param(
            None,
            **PEAKFLO_IDS,
            title="Invoices",
            description="Peakflo's ids of the invoices to check, one per line; without invoices and customers, all "
            "open ones of the company.",
        ),
        "customer_ids": Param(
            None,
            **PEAKFLO_IDS,
            title="Customers",
            description="Peakflo's ids of customers, one per line: all their open invoices are checked.",
        ),
        "deadline_seconds": Param(
            DEADLINE_SECONDS,
            type="number",
            minimum=1,
            maximum=LONGEST_DEADLINE_SECONDS,
            title="Deadline",
            description="Seconds from the trigger after which nothing more is waited for.",
            examples=[DEADLINE_SECONDS, 60],
        ),
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks", "reminders"],
)
def refresh_before_reminder() -> None:
    @company_task(
        task_display_name="Refresh and judge",
        outlets=[RECEIVABLES_CHANGES],
        pool=REMINDER_POOL,
        queue=REMINDER_QUEUE,
        priority_weight=REMINDER_PRIORITY,
        weight_rule="absolute",
        execution_timeout=timedelta(seconds=LONGEST_DEADLINE_SECONDS + 30),
    )
    def refresh_and_judge(batch: list[str]) -> dict[str, Any]:
        """Read the invoices of the one company afresh and say for each whether to send a reminder."""
        from include.company_tasks import tell_changes
        from include.errors import ConfigurationError
        from include.hooks.access import get_access
        from include.receivables.company.run_context import RunContext
        from include.receivables.reminders import refreshing
        from include.receivables.reminders.check import ReminderRequest
        from include.receivables.reminders.verdict_records import answer

        context = get_current_context()
        params = context["params"]
        request = ReminderRequest(
            params["company_id"], _ids(params["invoice_ids"]), _ids(params["customer_ids"])
        )
        run_context = RunContext.of(context)
        if run_context.clear_number:
            logger.warning(
                "This reminder run was cleared: it judges again, beside what it said before. From now on its answer is "
                "the new one; what was sent on the word of the old one, only the reminder service knows."
            )
        try:
            refuse_unknown(context["dag_run"].conf, context["dag"].params)
            seconds = _seconds_left(context, params["deadline_seconds"])
            access = get_access()
            judgement = refreshing.refresh_and_judge(access, request, run_context, seconds=seconds)
        except ConfigurationError as error:
            judgement = refreshing.unchecked(request, error)
        answered = answer(run_context.dag_run_id, request.company_id, judgement)
        if answered["unknown"] or answered["error"]:
            context["ti"].xcom_push("return_value", answered)
            raise AirflowFailException(_complaint(answered))
        logger.info(
            "Company %s: %d to send, %d to hold. See %s",
            request.company_id, answered["send"], answered["hold"], company_page(request.company_id),
        )  # fmt: skip
        if judgement.has_news:
            with access.connect() as db:
                tell_changes(db, batch, context)
        return answered

    refresh_and_judge(batch=["{{ params.company_id }}"])


def _ids(texts: list[str] | None) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(UUID(text) for text in texts or []))


def _seconds_left(context: Any, seconds: float) -> float:
    """Return how much is left of the deadline, which began with the trigger; for a run cleared later, all."""
    dag_run = context["dag_run"]
    if dag_run.clear_number:
        return seconds
    return float(seconds - (datetime.now(UTC) - dag_run.run_after).total_seconds())


def _complaint(answered: dict[str, Any]) -> str:
    reasons = {
        code
        for verdict in answered["verdicts"]
        if verdict["verdict"] == "unknown"
        for code in verdict["reasons"]
    }
    if answered["error"]:
        reasons.add(answered["error"]["code"])
    total = sum(answered[verdict] for verdict in ("send", "hold", "unknown"))
    return (
        f"Of company {answered['company_id']!r}, {answered['unknown']} of {total} invoices could not be checked "
        f"({', '.join(sorted(reasons))}): no reminder may go out for them. See "
        f"{company_page(answered['company_id'])}"
    )


refresh_before_reminder()
