"""What a person is offered to decide, in the words of the pages and of Airflow's Required Actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from include.receivables.outbound.decisions import choices_of

if TYPE_CHECKING:
    from include.receivables.outbound.decisions import Choices, Doubt
    from include.receivables.outbound.model import Standing

Action = Literal["approve", "relink", "retry", "ignore", "believe", "leave"]

# Said by whoever knows better than this program, which cannot tell.
_SURE: dict[Doubt, str] = {
    "may_be_there": "It is not in QuickBooks: retry",
    "was_undone": "The money did arrive: retry",
}
# What each says; a retry, the first of these where nothing is in doubt.
LABELS: dict[Action, tuple[str, ...]] = {
    "approve": ("Approve",),
    "relink": ("Apply to the new invoice",),
    "retry": ("Retry", *_SURE.values()),
    "ignore": ("Ignore",),
    "believe": ("Believe the deletions",),
    "leave": ("Not now",),
}
_RETRY_HINTS: dict[Doubt, str] = {
    "may_be_there": "Looks for it once more, by its reference and its note, and sends it again if it is not found.",
    "was_undone": "Enters it in QuickBooks once more, where somebody undid it.",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """
    Something that may be decided.

    :param label: what the button says that decides it.
    :param hint: what follows from it.
    :param doubt: why it may be wrong, if so: whoever decides it has to be sure.
    """

    action: Action
    label: str
    hint: str
    doubt: Doubt | None = None


DELETION_OFFERS = (
    Offer(
        "believe",
        LABELS["believe"][0],
        "All books are read from QuickBooks again, and what is not there any more is deleted in Peakflo.",
    ),
    Offer(
        "leave",
        LABELS["leave"][0],
        "Nothing is taken in; the next sync goes on by itself once QuickBooks has them again.",
    ),
)


def offers_of(standing: Standing | None) -> list[Offer]:
    """Tell what a person is offered to decide about a payment; nothing while it is being worked on."""
    if standing is None:
        return []
    choices = choices_of(standing)
    offered = {
        "approve": choices.may_approve,
        "relink": choices.candidate is not None,
        "retry": choices.may_retry,
        "ignore": choices.may_ignore,
    }
    made = (_approve(), _relink(), _retry(standing, choices), _ignore(standing))
    return [offer for offer in made if offered[offer.action]]


def _approve() -> Offer:
    return Offer(
        "approve",
        LABELS["approve"][0],
        "Lets it go to QuickBooks as it is now. Changed after that, it waits once more.",
    )


def _relink() -> Offer:
    return Offer(
        "relink",
        LABELS["relink"][0],
        "The open invoice of the same customer, number and amount took the place of the one that is gone.",
    )


def _retry(standing: Standing, choices: Choices) -> Offer:
    if choices.doubt:
        return Offer("retry", _SURE[choices.doubt], _RETRY_HINTS[choices.doubt], choices.doubt)
    if standing.kind == "ignored":
        return Offer(
            "retry",
            LABELS["retry"][0],
            "Takes the decision back: what differs counts again, and what is not in QuickBooks goes there once nothing "
            "stands against it.",
        )
    return Offer(
        "retry",
        LABELS["retry"][0],
        "Tries it again at once. Set right first what is said above, or it is refused again.",
    )


def _ignore(standing: Standing) -> Offer:
    lets_go = standing.kind == "waits" or any(each.lets_go for each in standing.open_differences)
    return Offer(
        "ignore",
        LABELS["ignore"][0],
        "Peakflo does not send it any more. What is missing in QuickBooks has to be entered there by hand. Retry takes "
        "that back."
        if lets_go
        else "Keeps quiet about the difference until it changes. Nothing is changed in QuickBooks.",
    )
