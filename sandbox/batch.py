"""Batches: up to 30 queries and writes in one request, each answered on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import changes, faults, query, writes
from sandbox.entities import ENTITIES
from sandbox.json_text import encode

if TYPE_CHECKING:
    from sandbox.company import Company

_OPERATIONS = ("create", "update", "delete", "void")


def run(company: Company, body: Any, request_id: str) -> bytes:
    """
    Return the ``BatchItemResponse`` list as JSON text.

    :param request_id: the batch's requestid; with one, a bId has at most 10 characters (Intuit).
    :raises faults.Fault: when the batch as a whole is wrong.
    """
    items = body.get("BatchItemRequest") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        raise faults.missing("BatchItemRequest")
    if not all(isinstance(item, dict) for item in items):
        raise faults.invalid_property("BatchItemRequest")
    if len(items) > company.books.settings.batch_limit:
        raise faults.business(f"A batch can have at most {company.books.settings.batch_limit} items.")
    if request_id and any(len(str(item.get("bId", ""))) > 10 for item in items):
        raise faults.business("You cannot enter more than 10 characters in the bId field")
    return b"[" + b",".join(_answer(company, item) for item in items) + b"]"


def _answer(company: Company, item: dict[str, Any]) -> bytes:
    try:
        part = _run_item(company, item)
    except faults.Fault as fault:
        part = b'"Fault":' + encode(fault.body())
    return b"{" + part + b',"bId":' + encode(str(item.get("bId", ""))) + b"}"


def _run_item(company: Company, item: dict[str, Any]) -> bytes:
    if company.books.settings.quota == "used_up" and ("Query" in item or "CDCQuery" in item):
        raise faults.throttled()
    if "Query" in item:
        answer = query.run(company.books, company.results, str(item["Query"])).json
        company.calls.succeeded(is_read=True)
        return b'"QueryResponse":' + answer
    if "CDCQuery" in item:
        asked = item["CDCQuery"] if isinstance(item["CDCQuery"], dict) else {}
        since = str(asked.get("ChangedSince", ""))
        answer = changes.run(company.books, str(asked.get("Entities", "")), since)
        company.calls.succeeded(is_read=True)
        return b'"CDCResponse":' + answer
    return _write(company, item)


def _write(company: Company, item: dict[str, Any]) -> bytes:
    operation = str(item.get("operation", ""))
    names = [name for name in item if name in ENTITIES]
    if len(names) != 1 or operation not in _OPERATIONS:
        raise faults.unsupported(operation or "batch item")
    if operation == "update" and str(item.get("optionsData", "")).lower() == "void":
        operation = "void"
    asked = operation if operation in ("delete", "void") else None
    written = writes.write(company.books, ENTITIES[names[0]], item[names[0]], asked)
    company.calls.succeeded(is_read=False)
    return writes.answer_of(company.books, written)
