"""Other shapes in which QuickBooks answers the same record; the books keep one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.json_text import decode, encode

if TYPE_CHECKING:
    from sandbox.settings import Settings

_ALPHA_3 = {
    "AU": "AUS",
    "CA": "CAN",
    "GB": "GBR",
    "ID": "IDN",
    "IN": "IND",
    "MY": "MYS",
    "SG": "SGP",
    "US": "USA",
}


def are_other(settings: Settings) -> bool:
    """Tell whether records are answered in another shape than the books have."""
    return not (settings.subtotal_lines and settings.bundle_members) or settings.countries != "alpha_2"


def reshaped(json: bytes, settings: Settings) -> bytes:
    """Return a record in the shape that is set."""
    fields = decode(json)
    if "Line" in fields:
        fields["Line"] = _lines(fields["Line"], settings)
    if settings.countries == "alpha_3":
        _spell_countries(fields)
    return encode(fields)


def _lines(lines: list[dict[str, Any]], settings: Settings) -> list[dict[str, Any]]:
    kept = []
    for line in lines:
        if line.get("DetailType") == "SubTotalLineDetail" and not settings.subtotal_lines:
            continue
        if "GroupLineDetail" in line and not settings.bundle_members:
            bundle = {name: value for name, value in line["GroupLineDetail"].items() if name != "Line"}
            kept.append({**line, "GroupLineDetail": bundle})
        else:
            kept.append(line)
    return kept


def _spell_countries(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _spell_countries(item)
    elif isinstance(value, dict):
        if isinstance(value.get("Country"), str):
            value["Country"] = _ALPHA_3.get(value["Country"], value["Country"])
        for item in value.values():
            _spell_countries(item)
