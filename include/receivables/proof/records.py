"""Compares records: those that QuickBooks answered with those that are staged, and these with Peakflo's."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.receivables.proof.differences import NOTHING, Difference
from include.receivables.proof.frames import COMPARED, SIGNS, VERSION, rows_of, side, unlike, worth

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

    from include.receivables.proof.frames import Key, Row
    from include.receivables.proof.reading import Stretch


def find_missed(known: pd.DataFrame, read: pd.DataFrame, moved: Collection[Key]) -> list[Difference]:
    """
    Find the records that QuickBooks has otherwise than they are staged, though it told of no change.

    :param read: what QuickBooks answered, as :func:`~.reading.facts_of` reads it.
    :param moved: what changed while it was read.
    """
    staged = side(known, "staged")
    differs, kept = unlike(read, staged), rows_of(staged)
    versions = rows_of(known[list(VERSION)])
    found = []
    for key, row in rows_of(read).items():
        if key in moved:
            continue
        if key not in kept:
            found.append(_missing(key, row))
        elif key in differs:
            found.append(_differing(key, differs[key], row, kept[key]))
        elif _is_another_version(row, versions[key]):
            theirs, ours = (f"version {each['sync_token']}" for each in (row, versions[key]))
            found.append(_missed(key, row, "version", theirs, ours))
    return found


def find_vanished(
    known: pd.DataFrame,
    stretches: Collection[Stretch],
    met: Mapping[str, Collection[str]],
    moved: Collection[Key],
) -> list[Key]:
    """
    List the records that are staged as alive and were not met where they should have been.

    :param met: the Ids of all that was met, by entity.
    """
    alive = known[known["staged_status"].notna() & known["staged_status"].ne("deleted")]
    vanished: list[Key] = []
    for stretch in stretches:
        entity = stretch.entity.table
        part = alive[alive["entity"].eq(entity)]
        if stretch.since is not None:
            part = part[part["created_at"].ge(stretch.since)]
        if stretch.before is not None:
            part = part[part["created_at"].lt(stretch.before)]
        vanished += [key for key in part.index.to_list() if key[1] not in met[entity] and key not in moved]
    return vanished


def find_unmerged(known: pd.DataFrame) -> list[Difference]:
    """Find the records that Peakflo has otherwise than they are staged; its own payments are compared elsewhere."""
    theirs = known[~known["is_own"].astype(bool)]
    staged, merged = side(theirs, "staged"), side(theirs, "peakflo")
    rows, kept, said = rows_of(theirs), rows_of(merged), rows_of(staged)
    found = []
    for key, row in kept.items():
        if key not in said and row["status"] != "deleted":
            found.append(_extra(key, row))
    for key, row in said.items():
        if rows[key]["is_waiting"]:
            found.append(_not_read(key, row, kept.get(key), rows[key]["problem"]))
        elif key not in kept and row["status"] != "deleted":
            found.append(_missing(key, row))
    for key, facts in unlike(staged, merged).items():
        if not rows[key]["is_waiting"]:
            found.append(_differing(key, facts, said[key], kept[key]))
    return found


def tell_deleted(known: pd.DataFrame, vanished: Collection[Key]) -> list[Difference]:
    """Tell of the records that QuickBooks had deleted without a word; those that it has after all are none."""
    rows = rows_of(known.loc[list(vanished)]) if vanished else {}
    return [
        Difference(
            "missed_change",
            entity,
            qbo_id,
            "deleted",
            f"{words(entity).capitalize()} {qbo_id} was deleted in QuickBooks, which had not told of it.",
        ).repaired()
        for (entity, qbo_id), row in rows.items()
        if row["staged_status"] == "deleted" and row["peakflo_status"] in (None, "deleted")
    ]


def words(entity: str) -> str:
    """Return what people call an entity."""
    return entity.replace("_", " ")


def text(value: Any) -> str | None:
    """Write a fact out."""
    if value is None:
        return None
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def customer_of(key: Key, facts: Row) -> str:
    """Return whose a record is; no account is anybody's."""
    entity, qbo_id = key
    owner = facts["owner_id"] if entity in SIGNS else qbo_id if entity == "customer" else None
    return str(owner or "")


def _is_another_version(read: Row, known: Row) -> bool:
    """Tell whether a record was changed; QuickBooks may write the same version in several ways."""
    is_said_otherwise = any(read[name] != known[name] for name in ("sync_token", "updated_at"))
    return bool(read["content_hash"] != known["content_hash"] and is_said_otherwise)


def _differing(key: Key, facts: Collection[str], theirs: Row, ours: Row) -> Difference:
    shown = next((name for name in ("open", "total") if name in facts), next(iter(facts)))
    amount = worth(key, theirs) - worth(key, ours)
    return _missed(key, theirs, ", ".join(facts), text(theirs[shown]), text(ours[shown]), amount)


def _missed(
    key: Key, facts: Row, field: str, theirs: str | None, ours: str | None, amount: Decimal = NOTHING
) -> Difference:
    entity, qbo_id = key
    return Difference(
        "missed_change",
        entity,
        qbo_id,
        field,
        f"{words(entity).capitalize()} {facts['name'] or qbo_id} differs in {field}: QuickBooks says "
        f"{theirs or 'none'}, Peakflo {ours or 'none'}.",
        quickbooks=theirs,
        peakflo=ours,
        amount=amount,
        name=facts["name"],
        customer_id=customer_of(key, facts),
    )


def _missing(key: Key, facts: Row) -> Difference:
    entity, qbo_id = key
    return Difference(
        "missed_change",
        entity,
        qbo_id,
        "missing",
        f"Peakflo lacks {words(entity)} {facts['name'] or qbo_id}, which QuickBooks has.",
        quickbooks=text(facts["open"]),
        amount=worth(key, facts),
        name=facts["name"],
        customer_id=customer_of(key, facts),
    )


def _extra(key: Key, facts: Row) -> Difference:
    entity, qbo_id = key
    return Difference(
        "missed_change",
        entity,
        qbo_id,
        "extra",
        f"Peakflo has {words(entity)} {facts['name'] or qbo_id}, which was never read from QuickBooks.",
        peakflo=text(facts["open"]),
        amount=-worth(key, facts),
        name=facts["name"],
        customer_id=customer_of(key, facts),
    )


def _not_read(key: Key, theirs: Row, ours: Row | None, problem: str | None) -> Difference:
    entity, qbo_id = key
    known = ours or dict.fromkeys(COMPARED)
    return Difference(
        "not_read",
        entity,
        qbo_id,
        "missing" if ours is None else "version",
        problem or f"{words(entity).capitalize()} {qbo_id} points at a record that has not been read.",
        quickbooks=text(theirs["open"]),
        peakflo=text(known["open"]),
        amount=worth(key, theirs) - worth(key, known),
        name=theirs["name"],
        customer_id=customer_of(key, theirs),
    )
