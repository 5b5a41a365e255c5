"""The Accounting API of one company: /v3/company/{realm}/…."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sandbox import batch, changes, faults, query, reports, tax_service, writes
from sandbox.clock import answer_time
from sandbox.entities import by_path
from sandbox.json_text import decode, encode
from sandbox.tax_pseudo_codes import pseudo_codes

if TYPE_CHECKING:
    from sandbox.company import Company


@dataclass(frozen=True, slots=True)
class Request:
    """
    What an API call asks for.

    :param path: below the company, such as ``invoice/12``.
    :param options: the query string.
    :param body: as it was sent.
    """

    method: str
    path: str
    options: dict[str, str]
    body: bytes


class Result(NamedTuple):
    """
    What a call answers.

    :param kind: what it was, for the counts: cdc, query:Invoice, read:Invoice, write:Payment, batch,
        report:AgedReceivables.
    :param members: the JSON members of the answer, without the time; of a report the whole answer.
    :param is_read: whether it is metered as a read; a batch counts its items itself.
    """

    kind: str
    members: bytes
    is_read: bool | None


def kind_of(request: Request) -> str:
    """Name a call for the counts, also one that is refused."""
    segment = request.path.split("/")[0].lower()
    if segment == "query":
        return f"query:{entity_of(request)}"
    if segment in ("cdc", "batch"):
        return segment
    if segment == "reports":
        return f"report:{entity_of(request)}"
    try:
        name = by_path(segment).name
    except faults.Fault:
        return segment
    return f"read:{name}" if request.method == "GET" else f"write:{name}"


def entity_of(request: Request) -> str:
    """Return the entity or report that a call is about, as far as it can be told before it is carried out."""
    segment, _, rest = request.path.partition("/")
    segment = segment.lower()
    if segment == "query":
        words = statement_of(request).split()
        lowered = [word.lower() for word in words]
        place = lowered.index("from") + 1 if "from" in lowered else len(words)
        return words[place] if place < len(words) else ""
    if segment == "reports":
        return rest
    try:
        return by_path(segment).name
    except faults.Fault:
        return ""


def statement_of(request: Request) -> str:
    """Return the statement of a query, from the URL or from the body."""
    return request.options.get("query") or request.body.decode("utf-8", "replace")


def answer(company: Company, request: Request) -> Result:
    """
    Carry out a call.

    :raises faults.Fault: when QuickBooks would refuse it.
    """
    segment, _, rest = request.path.strip("/").partition("/")
    kind = kind_of(request)
    if company.books.settings.quota == "used_up" and (segment in ("query", "cdc") or request.method == "GET"):
        raise faults.throttled()
    if segment == "query":
        found = query.run(company.books, company.results, statement_of(request))
        return Result(f"query:{found.entity}", b'"QueryResponse":' + found.json, is_read=True)
    if segment == "cdc":
        options = request.options
        found_changes = changes.run(
            company.books, options.get("entities", ""), options.get("changedSince", "")
        )
        return Result(kind, b'"CDCResponse":' + found_changes, is_read=True)
    if segment == "batch":
        items = batch.run(company, _json(request.body), request.options.get("requestid", ""))
        return Result(kind, b'"BatchItemResponse":' + items, is_read=None)
    if segment == "taxservice":
        return Result(kind, tax_service.create(company.books, _json(request.body)), is_read=False)
    if segment == "reports" and request.method == "GET":
        return Result(kind, reports.run(company.books, rest, request.options), is_read=True)
    if request.method == "GET":
        return _read(company, segment, rest)
    return _write(company, segment, request)


def _read(company: Company, segment: str, record_id: str) -> Result:
    entity = by_path(segment)
    books = company.books
    if entity.kind == "single":
        json = books.serving.records([next(books.all(entity.name))])[0]
    elif entity.name == "TaxCode" and record_id in pseudo_codes(books):
        json = pseudo_codes(books)[record_id]
    else:
        json = books.serving.records([books.get(entity.name, record_id)])[0]
    return Result(f"read:{entity.name}", b'"%s":%s' % (entity.name.encode(), json), is_read=True)


def _write(company: Company, segment: str, request: Request) -> Result:
    entity = by_path(segment)
    include = frozenset(request.options.get("include", "").lower().split(","))
    operation = request.options.get("operation", "").lower()
    if operation not in ("", "create", "update", "delete", "void"):
        raise faults.unsupported(operation)
    if operation == "update" and "void" in include:
        operation = "void"
    asked = operation if operation in ("delete", "void") else None
    written = writes.write(company.books, entity, _json(request.body), asked, include=include)
    return Result(f"write:{entity.name}", writes.answer_of(company.books, written), is_read=False)


def _json(body: bytes) -> Any:
    try:
        return decode(body)
    except msgspec.DecodeError:
        raise faults.invalid_property() from None


def text_of(result: Result, began_at: float) -> bytes:
    """Return the JSON text of what a call answers; a report has its time in its header."""
    is_report = result.kind.startswith("report:")
    return result.members if is_report else whole(result.members, began_at)


def whole(members: bytes, began_at: float) -> bytes:
    """Return the JSON text of an answer; Intuit: ``time`` is when the server began with the request."""
    return b"{%s,%s}" % (members, b'"time":"%s"' % answer_time(began_at).encode())


def fault_members(fault: faults.Fault) -> bytes:
    """Return the JSON members of a refusal."""
    return b'"Fault":' + encode(fault.body())
