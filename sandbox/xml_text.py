"""Turns answers into the XML that QuickBooks sends to clients that do not ask for JSON."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

NAMESPACE = "http://schema.intuit.com/finance/v3"
_ATTRIBUTES = (
    "domain",
    "sparse",
    "status",
    "bId",
    "type",
    "code",
    "element",
    "startPosition",
    "maxResults",
    "totalCount",
)


def to_xml(answer: dict[str, Any]) -> bytes:
    """Return the XML of a JSON answer."""
    root = Element("IntuitResponse", {"xmlns": NAMESPACE})
    for name, value in answer.items():
        if name == "time":
            root.set("time", str(value))
        else:
            _append(root, name, value)
    text: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


def _append(parent: Element, name: str, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _append(parent, name, item)
        return
    element = SubElement(parent, name)
    if not isinstance(value, dict):
        element.text = _text(value)
    elif name.endswith("Ref") and "value" in value:
        if "name" in value:
            element.set("name", str(value["name"]))
        element.text = _text(value["value"])
    elif name == "LineEx":
        for extension in value["any"]:
            _append(element, "NameValue", extension["value"])
    else:
        _fill(element, value)


def _fill(element: Element, value: dict[str, Any]) -> None:
    for name, item in value.items():
        if name in _ATTRIBUTES and not isinstance(item, dict | list):
            element.set(name, _text(item))
        else:
            _append(element, name, item)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
