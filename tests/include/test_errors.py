from __future__ import annotations

import inspect

import pytest

from include import errors
from include.errors import (
    BatchError,
    BusyError,
    ChangesExpiredError,
    ConfigurationError,
    FatalError,
    ReauthorizeError,
    ReceivablesError,
    RecordError,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnreachableError,
)

CLASSES = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ReceivablesError)
]


def test_an_error_reads_as_its_message():
    assert str(ReceivablesError("A setting is wrong.")) == "A setting is wrong."


def test_an_error_of_quickbooks_ends_with_the_id_that_intuits_support_asks_for():
    error = UnreachableError("QuickBooks gave no answer.", intuit_tid="1-abc")

    assert str(error) == "QuickBooks gave no answer. (intuit_tid 1-abc)"


def test_an_error_is_known_by_the_code_of_its_class_or_by_one_of_its_own():
    assert UnreachableError("…").code == "unreachable"
    assert RejectedError("…", code="6140").code == "6140"
    assert UnreachableError.code == "unreachable"


def test_a_throttled_error_knows_how_long_to_wait():
    error = ThrottledError("Slow down.", retry_after=60.0, intuit_tid="1-abc")

    assert (error.retry_after, error.code) == (60.0, "throttled")


def test_the_error_of_a_batch_says_of_each_company_why_it_failed():
    error = BatchError({"acme": UnreachableError("No answer.", intuit_tid="1-a"), "b": ValueError("odd")})

    assert str(error) == "Failed companies (2): acme: No answer. (intuit_tid 1-a); b: odd"
    assert list(error.failures) == ["acme", "b"]


def test_the_error_of_a_batch_does_not_change_with_the_callers_dict():
    failures: dict[str, Exception] = {"acme": UnreachableError("No answer.")}
    error = BatchError(failures)
    failures.clear()

    assert list(error.failures) == ["acme"]


@pytest.mark.parametrize(
    ("kind", "consequence"),
    [
        (ConfigurationError, FatalError),
        (ReauthorizeError, FatalError),
        (UnreachableError, RetryableError),
        (ThrottledError, RetryableError),
        (BusyError, RetryableError),
        (ChangesExpiredError, RetryableError),
        (BatchError, RetryableError),
        (RejectedError, RecordError),
    ],
)
def test_errors_are_sorted_by_what_to_do_about_them(
    kind: type[ReceivablesError], consequence: type[ReceivablesError]
):
    assert issubclass(kind, consequence)


def test_every_error_stands_in_the_tree_of_the_module_with_what_it_means():
    missing = [kind.__name__ for kind in CLASSES if kind.__name__ not in (errors.__doc__ or "")]

    assert missing == []


def test_every_class_of_error_has_a_code_of_its_own():
    codes = [kind.code for kind in CLASSES]

    assert len(set(codes)) == len(codes)
