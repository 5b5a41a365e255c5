"""
What to do next about one of Peakflo's payments, or where it stands.

Pure: no database, no QuickBooks, no clock. Whoever delivers, the pages, the command line and the model that the tests
explore ask this one function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.outbound.case import Case
from include.receivables.outbound.finding_out import find_out
from include.receivables.outbound.following import adopt, follow
from include.receivables.outbound.making import make
from include.receivables.outbound.unmaking import unmake

if TYPE_CHECKING:
    from include.receivables.outbound.model import Situation, Standing, Step


def decide(situation: Situation) -> Step | Standing:
    """
    Decide what to do next about a payment.

    :return: the next step, or where the payment stands when there is none.
    """
    case = Case(situation)
    step = follow(case) or adopt(case) or find_out(case)
    if step is None:
        step = make(case) if situation.is_active else unmake(case)
    return step or case.standing()
