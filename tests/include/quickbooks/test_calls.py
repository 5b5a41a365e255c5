from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from include.quickbooks.calls import CallCounts


def test_a_refused_request_counts_but_is_not_metered():
    calls = CallCounts()

    calls.add("cdc", is_metered=True, seconds=0.25)
    calls.add("query", is_metered=False, seconds=0.5)

    assert (calls.total, calls.metered, calls.by_kind) == (2, 1, {"cdc": 1, "query": 1})
    assert calls.seconds == 0.75


def test_nothing_is_lost_between_threads():
    calls = CallCounts()

    with ThreadPoolExecutor(8) as threads:
        for _ in range(2000):
            threads.submit(calls.add, "query", is_metered=True, seconds=0.5)

    assert (calls.total, calls.metered, calls.seconds) == (2000, 2000, 1000.0)


def test_the_counts_handed_out_are_a_copy():
    calls = CallCounts()

    calls.by_kind["query"] = 5

    assert calls.total == 0
