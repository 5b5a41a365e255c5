from __future__ import annotations

from typing import Any

import pytest

from sandbox.injection import Call, Injector

CALL = Call("1", "payment", "Payment", "POST")


@pytest.mark.parametrize(
    ("rule", "strikes"),
    [
        ({}, True),
        ({"path": "pay"}, True),
        ({"path": "query"}, False),
        ({"entity": "payment"}, True),
        ({"entity": "Invoice"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"realm": "1"}, True),
        ({"realm": "2"}, False),
        ({"probability": 0}, False),
        ({"count": 0}, False),
    ],
)
def test_a_rule_strikes_the_calls_it_is_about(rule: dict[str, Any], *, strikes: bool) -> None:
    injector = Injector(seed=1)
    injector.add({"kind": "500", **rule})
    assert (injector.pick(CALL) is not None) is strikes


def test_a_counted_rule_is_used_up_and_the_next_one_follows() -> None:
    injector = Injector(seed=1)
    injector.add({"kind": "500", "count": 2})
    injector.add({"kind": "429"})
    kinds = [rule.kind for _ in range(4) if (rule := injector.pick(CALL))]
    assert kinds == ["500", "500", "429", "429"]
    assert [rule.hits for rule in injector.rules] == [2, 2]


def test_chance_is_repeatable_from_the_seed() -> None:
    draws = []
    for _ in range(2):
        injector = Injector(seed=5)
        injector.add({"kind": "500", "probability": 0.5})
        draws.append([injector.pick(CALL) is not None for _ in range(50)])
    assert draws[0] == draws[1]
    assert True in draws[0]
    assert False in draws[0]
