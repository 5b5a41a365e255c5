"""
### Ask for a decision, in Airflow's Required Actions

Some things only a person can tell. They are decided on the pages or with `bin/receivables`, and here as well:
`send_alerts` starts a run for each question, which waits under *Required Actions* until it is answered. It is the same
decision, by the same function, in the same history, under the name of who answered.

| question | answers | who may |
|---|---|---|
| more records vanished than is believed | *Believe the deletions* (imports the company), *Not now* | Op, Admin |
| the answer to a payment was lost, and nothing found | *It is not in QuickBooks: retry*, *Ignore* | Op, Admin |
| a payment's invoice is gone, another took its place | *Apply to the new invoice*, *Ignore* | Op, Admin |
| a payment is larger than its company lets go by itself | *Approve*, *Ignore* | Admin |

**Tasks.** `ask` asks, and decides what is answered; `follow_up` starts the DAG that does it. A waiting task holds no
worker and no slot. It looks now and then, each hour at least, whether its question is still open, and ends well if it
was decided elsewhere or has passed by itself; what is decided on its own page ends it at once.

**An answer counts for what was shown.** If the amount, the difference or anything else has changed since, or somebody
else has decided, an answer does nothing and the log says so; what is left to be decided is asked anew, by another run.

**Who may answer** is set for each question, as on the pages. With SimpleAuthManager that is read from its users.
Elsewhere Airflow's setting `[quickbooks] decision_makers` names them by their ids, such as `1:admin,7:op`; without it
nobody is asked here, and all is decided on the pages.

**Cost.** No call of QuickBooks.

**When it fails**, or its process was killed while it decided, it asks once more if the question is still open; so it
does when it is cleared. To clear a run, to mark it or to delete it decides nothing. One that is triggered by hand asks
only what is open under the key it names.
"""

from __future__ import annotations

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag

from include.dag_defaults import COMPANY_ID_SCHEMA, DEFAULT_ARGS, ON_DEMAND
from include.decision_operator import DecisionOperator


@dag(
    dag_display_name="Ask for a decision",
    description="A question that only a person can answer, under Required Actions; one run per question.",
    schedule=None,
    catchup=False,
    allowed_run_types=ON_DEMAND,
    # More than are ever asked at once; a question waits as long as it takes.
    max_active_runs=32,
    dagrun_timeout=None,
    default_args=DEFAULT_ARGS,
    params={
        "company_id": Param(**COMPANY_ID_SCHEMA),
        "kind": Param(
            type="string",
            enum=["payment", "deletions"],
            examples=["payment"],
            title="About",
            description="A payment on its way to QuickBooks, or deletions that are not believed.",
        ),
        "asked_id": Param(
            type="integer",
            minimum=1,
            maximum=2**63 - 1,
            examples=[42],
            title="Number",
            description="Of the delivery, or of the problem.",
        ),
        "key": Param(
            type="string",
            pattern="^[0-9a-f]{16}$",
            examples=["0123456789abcdef"],
            title="Key",
            description="Of all that the question shows: what has changed since is another question.",
        ),
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def ask_for_decision() -> None:
    # A try whose process was killed asks once more.
    ask = DecisionOperator(task_id="ask", task_display_name="Wait for the decision", retries=3)

    TriggerDagRunOperator.partial(
        task_id="follow_up",
        task_display_name="Start what was decided",
        logical_date=None,
        map_index_template="{{ params.company_id }}",
    ).expand_kwargs(ask.output)


ask_for_decision()
