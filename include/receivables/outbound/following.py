"""Lets records follow what was read of them, and takes in what is there without our knowing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.outbound.model import (
    DOCUMENTS,
    ENTITIES,
    LIVE,
    Adopt,
    Document,
    Move,
    Record,
    Situation,
    Step,
    Stray,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.receivables.outbound.case import Case


def follow(case: Case) -> Step | None:
    """Let records follow what was read of them."""
    for record in case.situation.records:
        step = _follow_record(case, record)
        if step is not None:
            return step
    return None


def _follow_record(case: Case, record: Record) -> Step | None:
    situation, read = case.situation, record.read
    if record.state == "gone" and not situation.is_active and not _is_alive(record):
        return Move(record, "undone", "It was undone in QuickBooks, as Peakflo wants it.")
    if record.state == "refused" and not situation.is_active:
        return Move(record, "absent", "It is not wanted any more.", record.code, record.reason)
    if record.state == "made" and not _is_alive(record):
        return Move(record, "gone", "QuickBooks does not have it any more.")
    if read is None:
        return None
    if record.state == "undoing" and not read.is_alive:
        return Move(record, "undone", "QuickBooks does not have it any more.")
    if record.state in ("gone", "undone") and _is_revived(record):
        if situation.is_active and not _has_other(situation, record):
            return Move(record, "made", "It was given money again in QuickBooks.")
        case.differ_in(record, "revived_in_quickbooks", read.sync_token)
    return None


def _is_alive(record: Record) -> bool:
    return record.current is None or record.current.is_alive


def _is_revived(record: Record) -> bool:
    undone_token = -1 if record.undone_token is None else record.undone_token
    return record.read is not None and record.read.is_alive and record.read.sync_token > undone_token


def _has_other(situation: Situation, record: Record) -> bool:
    """Tell whether another record of the same document lives, or may."""
    known = any(
        other.state in LIVE
        for other in situation.records
        if other.document == record.document and other is not record
    )
    return known or bool(situation.living_strays(record.document))


def adopt(case: Case) -> Step | None:
    """Take in what names the payment and is none of the records that we know."""
    for document in DOCUMENTS:
        living = case.situation.living_strays(document)
        step = _adopt_living(case, document, living) if living else _adopt_dead(case, document)
        if step is not None:
            return step
    return None


def _adopt_living(case: Case, document: Document, strays: Sequence[Stray]) -> Step | None:
    situation, last = case.situation, case.situation.last(document)
    names = " and ".join(stray.qbo_id for stray in strays)
    about = sorted(stray.qbo_id for stray in strays)
    entity = ENTITIES[document]
    if last is not None and last.state in ("made", "undoing"):
        case.differ(
            "twice_in_quickbooks",
            document,
            last.qbo_id,
            about,
            entity=entity,
            extra=names,
            qbo_id=last.qbo_id,
        )
    elif len(strays) > 1:
        case.differ("several_found", document, about, entity=entity, qbo_ids=names)
    elif not situation.is_active and last is not None and last.state in ("undone", "gone"):
        case.differ("copied_in_quickbooks", document, about, entity=entity, qbo_ids=names)
    else:
        return Adopt(strays[0], last if last is not None and last.qbo_id is None else None)
    return None


def _adopt_dead(case: Case, document: Document) -> Step | None:
    """Take in what was voided before we knew of having made it: somebody did that, and is not overruled."""
    dead = [stray for stray in case.situation.strays if stray.document == document]
    return Adopt(dead[-1], None) if dead and case.situation.last(document) is None else None
