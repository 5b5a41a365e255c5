"""
What a decision about one of Peakflo's payments rests on, and what it may be.

Wanted is what Peakflo says now. Had is each record that was made, or may have been made, in QuickBooks, with what was
last read of it. Decided is what people decided about exactly one difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from include.receivables.outbound.preflight_answers import Held, Ready, Refused

Json = dict[str, Any]
Document = Literal["payment", "journal_entry"]
Kind = Literal["agrees", "waits", "differs", "ignored"]
State = Literal["intended", "sent", "unknown", "made", "absent", "refused", "undoing", "undone", "gone"]
DecisionKind = Literal["ignore", "retry", "relink", "approve"]

DOCUMENTS: tuple[Document, ...] = ("payment", "journal_entry")
ENTITIES: dict[Document, str] = {"payment": "Payment", "journal_entry": "JournalEntry"}
# QuickBooks has it, may have it or is about to: at most one of a payment and document, which the database holds, too.
LIVE: tuple[State, ...] = ("intended", "sent", "unknown", "made", "undoing")
# A request left, and nobody knows yet what became of it.
UNDECIDED: tuple[State, ...] = ("sent", "unknown", "undoing")


@dataclass(frozen=True, slots=True)
class Version:
    """
    One version of a record, as QuickBooks said it.

    :param is_alive: whether it is neither deleted nor voided.
    """

    sync_token: int
    content: Json
    is_alive: bool


@dataclass(frozen=True, slots=True)
class Record:
    """
    A record that was made, or may have been made, in QuickBooks.

    :param code: why its state is what it is, if that needs a word: QuickBooks' fault code, or one of ours.
    :param payload: what was sent; None of one that was found without having been sent by this database.
    :param sent_snapshot: what Peakflo said of the payment when it was sent.
    :param answer: the version that QuickBooks answered with, or that was found.
    :param read: the newest version that was read since, of the sync or of a look.
    :param sends: how often the request left that is undecided.
    :param looked_at: when QuickBooks was last asked whether it has it.
    :param undone_token: the version that was, or is being, undone.
    """

    record_id: int
    document: Document
    generation: int
    state: State
    request_id: str = ""
    code: str | None = None
    reason: str | None = None
    payload: Json | None = None
    sent_snapshot: Json | None = None
    qbo_id: str | None = None
    answer: Version | None = None
    read: Version | None = None
    sends: int = 0
    undo_count: int = 0
    undone_token: int | None = None
    first_sent_at: datetime | None = None
    sent_at: datetime | None = None
    looked_at: datetime | None = None

    @property
    def entity(self) -> str:
        """QuickBooks' name of such a document."""
        return ENTITIES[self.document]

    @property
    def current(self) -> Version | None:
        """The newest version that is known."""
        if self.read is None or self.answer is None:
            return self.read or self.answer
        is_newer = self.read.sync_token >= self.answer.sync_token or not self.read.is_alive
        return self.read if is_newer else self.answer

    def __str__(self) -> str:
        return f"{self.entity} {self.qbo_id or f'of generation {self.generation}'}"


@dataclass(frozen=True, slots=True)
class Stray:
    """A record of QuickBooks that names the payment in its note, and is none of those that we know."""

    document: Document
    qbo_id: str
    version: Version


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What a person decided.

    :param fingerprint: of the difference that it is about.
    :param lets_go: whether the payment is not to be sent any more.
    :param snapshot: what Peakflo said of the payment then.
    """

    kind: DecisionKind
    fingerprint: str
    lets_go: bool
    snapshot: Json
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """
    All that a decision about a payment rests on.

    :param realm_id: of the QuickBooks company for which the payment was taken.
    :param snapshot: what Peakflo says of the payment.
    :param is_active: whether it counts; cancelled, it does not.
    :param is_settled: whether the money has arrived.
    :param check: whether it may go to QuickBooks, and what it is there.
    :param expected: per document, what QuickBooks should hold by what Peakflo says now, as far as that can be told.
    :param survivors: QuickBooks' ids of customers that were merged, each with the one it was merged into.
    :param closed_door: why nothing may be sent to these books now, if so.
    :param can_read: whether these books can be asked.
    :param settled_after: how long after a request its effect can be seen, if it has one.
    :param replay_window: for how long QuickBooks recognises a repeated request id.
    :param queued_at: when it was queued to be looked at; None if it was not.
    :param stands: kind, code and sentence of where it stood when it was last looked at, and its problems' codes.
    """

    payment_id: UUID
    realm_id: str
    now: datetime
    snapshot: Json
    is_active: bool
    is_settled: bool
    check: Ready | Held | Refused
    expected: dict[Document, Json | None] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    strays: tuple[Stray, ...] = ()
    decisions: tuple[Decision, ...] = ()
    survivors: dict[str, str] = field(default_factory=dict)
    closed_door: Held | None = None
    can_read: bool = True
    settled_after: timedelta = timedelta(minutes=2)
    replay_window: timedelta = timedelta(hours=12)
    queued_at: datetime | None = None
    stands: tuple[str | None, ...] = ()

    def last(self, document: Document) -> Record | None:
        """Return the living record of a document, else the one of the last generation."""
        of_document = [record for record in self.records if record.document == document]
        living = [record for record in of_document if record.state in LIVE]
        return max(living or of_document, key=lambda record: record.generation, default=None)

    def living_strays(self, document: Document) -> list[Stray]:
        """Return what lives of a document and is none of the records that we know."""
        return [stray for stray in self.strays if stray.document == document and stray.version.is_alive]

    def next_generation(self, document: Document) -> int:
        """Return the generation of a record to come."""
        return max(
            (record.generation + 1 for record in self.records if record.document == document), default=0
        )


@dataclass(frozen=True, slots=True)
class Send:
    """
    Send a record that is to be made.

    :param record: the row that waits to be sent; without one, a new generation.
    """

    document: Document
    generation: int
    payload: Json
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Resend:
    """Send the same request again, under the same id; of one that is being undone, the undoing."""

    record: Record


@dataclass(frozen=True, slots=True)
class Look:
    """
    Search QuickBooks for what a request may have made.

    :param thoroughly: also through all of its day, should neither reference nor note lead to it.
    """

    record: Record
    thoroughly: bool


@dataclass(frozen=True, slots=True)
class Read:
    """Read a record by its Id."""

    record: Record


@dataclass(frozen=True, slots=True)
class Adopt:
    """
    Take a record that names the payment for what was to be made.

    :param record: the row of which that was not known; without one, this database knows nothing of having sent it.
    """

    stray: Stray
    record: Record | None


@dataclass(frozen=True, slots=True)
class Undo:
    """Void a payment, or delete a journal entry, in exactly this version."""

    record: Record
    sync_token: int


@dataclass(frozen=True, slots=True)
class Move:
    """Only move a record on, by what is known of it."""

    record: Record
    state: State
    why: str
    code: str | None = None
    reason: str | None = None


Step = Send | Resend | Look | Read | Adopt | Undo | Move


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One respect in which both sides differ, or in which they cannot be brought together.

    :param code: of :data:`include.receivables.outbound.codes.CODES`, or a fault of QuickBooks.
    :param fingerprint: the same for as long as it is the same difference.
    :param may_retry: whether a retry would do anything.
    :param lets_go: whether to ignore it means that the payment is not sent any more.
    :param candidate: the invoice to which the payment can be moved by a click.
    """

    code: str
    message: str
    remedy: str
    owner: str
    fingerprint: str
    may_retry: bool = False
    lets_go: bool = False
    is_ignored: bool = False
    candidate: UUID | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where a payment stands when there is nothing to do right now.

    Both sides agree unless it waits for something, which ends by itself, or differs.

    :param waits: the code and the sentence of what it waits for.
    :param is_let_go: whether a person settled it otherwise.
    :param may_let_go: whether a person may do so while it waits: its payment has certainly not left.
    """

    waits: Held | None = None
    differences: tuple[Difference, ...] = ()
    is_let_go: bool = False
    may_let_go: bool = False

    @property
    def open_differences(self) -> list[Difference]:
        """The differences that nobody has ignored."""
        return [difference for difference in self.differences if not difference.is_ignored]

    @property
    def kind(self) -> Kind:
        """What the payment is listed as."""
        if self.open_differences:
            return "differs"
        if self.is_let_go or self.differences:
            return "ignored"
        return "waits" if self.waits else "agrees"

    @property
    def reason(self) -> Held | None:
        """The code and the sentence that say why, if something is to be said."""
        for difference in self.open_differences or self.differences:
            return Held(difference.code, difference.message)
        return Held("let_go", "Somebody settled it otherwise.") if self.is_let_go else self.waits
