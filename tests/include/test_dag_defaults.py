from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction
from hypothesis import given
from hypothesis import strategies as st

from include import errors
from include.dag_defaults import DEFAULT_ARGS, LONGEST_DELAY, THROTTLED_DELAY
from include.errors import BatchError, ReauthorizeError, ReceivablesError, ThrottledError, UnreachableError

POLICY = DEFAULT_ARGS["retry_policy"]
PLAIN = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, ReceivablesError)
    and kind not in (BatchError, ThrottledError)
]
single_errors = st.one_of(
    st.sampled_from(PLAIN).map(lambda kind: kind("It is wrong.")),
    st.floats(0, 1000).map(lambda seconds: ThrottledError("Slow down.", retry_after=seconds)),
    st.just(ZeroDivisionError()),
)


def decide(error: BaseException):
    return POLICY.evaluate(error, 1, 1)


@pytest.mark.parametrize("kind", PLAIN)
def test_what_a_person_has_to_mend_is_not_tried_again(kind: type[ReceivablesError]):
    is_hopeless = issubclass(kind, errors.FatalError | errors.QuotaError)

    assert (decide(kind("It is wrong.")).action is RetryAction.FAIL) == is_hopeless


@pytest.mark.parametrize(
    ("retry_after", "delay"), [(0, 60), (1, 60), (60, 60), (61, 61), (LONGEST_DELAY.total_seconds(), 120)]
)
def test_a_429_waits_as_long_as_quickbooks_asks_and_a_minute_at_least(retry_after: float, delay: float):
    decision = decide(ThrottledError("Slow down.", retry_after=retry_after))

    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=delay))


def test_a_429_that_asks_for_more_than_a_run_has_time_for_is_left_to_the_next_run():
    assert decide(ThrottledError("Slow down.", retry_after=121)).action is RetryAction.FAIL


@given(st.lists(single_errors, min_size=1, max_size=6))
def test_a_batch_is_tried_again_if_any_company_is_worth_it_after_the_longest_wait(found: list[Exception]):
    together = decide(BatchError({f"c{number}": error for number, error in enumerate(found)}))

    alone = [decide(error) for error in found]
    hopeful = [decision for decision in alone if decision.action is not RetryAction.FAIL]
    assert (together.action is RetryAction.FAIL) == (not hopeful)
    longest = max((decision.retry_delay or timedelta(0) for decision in hopeful), default=None)
    if hopeful:
        assert (together.retry_delay or timedelta(0)) == longest
        assert longest in (timedelta(0), *(decision.retry_delay for decision in hopeful))


def test_a_batch_of_a_lost_company_and_a_throttled_one_waits_for_the_throttled_one():
    mixed = {
        "lost": ReauthorizeError("Connect it again."),
        "slow": ThrottledError("Slow down.", retry_after=5),
        "away": UnreachableError("No answer."),
    }

    assert decide(BatchError(mixed)).retry_delay == THROTTLED_DELAY
