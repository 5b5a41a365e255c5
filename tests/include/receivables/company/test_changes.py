from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.company import changes
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from tests.support.workbench import Workbench


def add_news(bench: Workbench, count: int) -> None:
    company = connect_as_imported(bench, "acme")
    for number in range(count):
        bench.db.execute(
            "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, has_news, counts)"
            """ values ('acme', %s, 'test', %s, 'success', true, '{"invoice": {"merged": 2, "deleted": 1}}')""",
            [company.realm_id, str(number)],
        )


def test_what_several_runs_have_changed_is_one_change_that_is_taken_once(bench: Workbench):
    add_news(bench, 3)

    [change] = changes.take(bench.db, ["acme"])

    assert len(change.run_ids) == 3
    assert change.entities == {"invoice": {"merged": 6, "deleted": 3}}
    assert changes.take(bench.db, ["acme"]) == []


def test_who_takes_at_the_same_time_does_not_wait_and_takes_nothing_twice(bench: Workbench):
    add_news(bench, 2)
    with bench.access.connect() as other, other.transaction():
        [change] = changes.take(other, ["acme"])
        bench.db.execute("set lock_timeout = '5s'")
        add_news(bench, 1)

        [later] = changes.take(bench.db, ["acme"])

        assert not set(change.run_ids) & set(later.run_ids)
    assert changes.take(bench.db, ["acme"]) == []
