"""Answers queries from the books; a result is kept until the entity changes, so that paging is cheap."""

from __future__ import annotations

import itertools
import re
import zlib
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sandbox import faults
from sandbox.clock import parse_time
from sandbox.entities import Entity, by_name
from sandbox.json_text import decimal_of, encode
from sandbox.query_language import Condition, Order, Query, parse
from sandbox.tax_pseudo_codes import pseudo_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.books import Books, Record

    Test = Callable[[Any], bool]

_CACHED_RESULTS = 32
_TIMES = {"metadata.createtime": "created", "metadata.lastupdatedtime": "updated"}
_BY_CREATION = (Order("MetaData.CreateTime"),)
_BISECT: dict[str, Callable[..., int]] = {
    "<": bisect_left,
    ">=": bisect_left,
    "<=": bisect_right,
    ">": bisect_right,
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, asked: bool(found == asked),
    "!=": lambda found, asked: bool(found != asked),
    "<": lambda found, asked: bool(found < asked),
    ">": lambda found, asked: bool(found > asked),
    "<=": lambda found, asked: bool(found <= asked),
    ">=": lambda found, asked: bool(found >= asked),
}


class QueryAnswer(NamedTuple):
    """
    The ``QueryResponse`` of a statement, as JSON text.

    :param entity: what was asked for.
    """

    entity: str
    json: bytes


class ResultCache:
    """The last results of one company, each valid while its entity is unchanged."""

    def __init__(self) -> None:
        self._results: OrderedDict[tuple[Any, ...], tuple[int, list[Record]]] = OrderedDict()
        self.answers = itertools.count()

    def get(self, key: tuple[Any, ...], version: int) -> list[Record] | None:
        """Return a result that is still true."""
        kept = self._results.get(key)
        if kept is None or kept[0] != version:
            return None
        self._results.move_to_end(key)
        return kept[1]

    def put(self, key: tuple[Any, ...], version: int, records: list[Record]) -> None:
        """Keep a result, and drop the one unused for longest."""
        self._results[key] = (version, records)
        self._results.move_to_end(key)
        if len(self._results) > _CACHED_RESULTS:
            self._results.popitem(last=False)


def run(books: Books, cache: ResultCache, statement: str) -> QueryAnswer:
    """
    Answer a statement.

    :raises faults.Fault: 4000 or 4001 when the statement is wrong.
    """
    query = parse(statement)
    entity = by_name(query.entity)
    records = _matching(books, cache, query, entity)
    if query.counts:
        return QueryAnswer(entity.name, encode({"totalCount": len(records) + len(_pseudo(books, query))}))
    page = books.serving.records(records[query.start - 1 : query.start - 1 + query.limit])
    if query.start == 1:
        page = [*_pseudo(books, query), *page]
    return QueryAnswer(entity.name, _page_json(entity, page, query.start))


def _page_json(entity: Entity, page: list[bytes], start: int) -> bytes:
    if not page:
        return b"{}"
    tail = b"" if entity.kind == "single" else b',"startPosition":%d' % start
    tail += b',"maxResults":%d' % len(page)
    if entity.counts_total:
        tail += b',"totalCount":%d' % len(page)
    return b'{"%s":[%s]%s}' % (entity.name.encode(), b",".join(page), tail)


def _pseudo(books: Books, query: Query) -> list[bytes]:
    # Intuit's sandbox returns them on top of MAXRESULTS (python-quickbooks' test_taxcode).
    if query.entity != "TaxCode" or any(condition.property != "Active" for condition in query.conditions):
        return []
    return list(pseudo_codes(books).values())


def _matching(books: Books, cache: ResultCache, query: Query, entity: Entity) -> list[Record]:
    table = books.tables[entity.name]
    orders, shuffling = _orders(books, query)
    bounds: list[Condition] = []
    if orders == _BY_CREATION and not shuffling:
        # Whoever pages asks for what was created since ever later times: each answer is a part of the same rows.
        bounds = [condition for condition in query.conditions if _is_bound(condition)]
    conditions = tuple(condition for condition in query.conditions if condition not in bounds)
    key = (entity.name, conditions, query.orders, orders, shuffling)
    kept = cache.get(key, table.version)
    if kept is None or shuffling == "shuffle_anew":
        kept = _sorted(_filtered(books, conditions, entity), orders, entity)
        if shuffling:
            salt = next(cache.answers) if shuffling == "shuffle_anew" else conditions
            kept.sort(key=lambda record: zlib.crc32(f"{salt} {record.id}".encode()))
        cache.put(key, table.version, kept)
    return _within(kept, bounds)


def _is_bound(condition: Condition) -> bool:
    return condition.property == _BY_CREATION[0].property and condition.operator in _BISECT


def _within(records: list[Record], bounds: list[Condition]) -> list[Record]:
    """Cut out of records in the order of their creation those within bounds."""
    for bound in bounds:
        time = _time(bound.values[0], bound.property)
        row = _BISECT[bound.operator](records, time, key=lambda record: record.created)
        records = records[row:] if bound.operator.startswith(">") else records[:row]
    return records


def _orders(books: Books, query: Query) -> tuple[tuple[Order, ...], str]:
    """Return the orders that are heeded, and in which way the rows are shuffled, if so."""
    settings, orders = books.settings, query.orders
    if settings.order_by_id != "honour":
        kept = tuple(order for order in orders if order.property != "Id")
        if kept != orders and settings.order_by_id == "refuse":
            raise faults.invalid_query("property 'Id' is not sortable")
        orders = kept
    if settings.order_by == "honour" or not query.orders:
        return orders, ""
    return (), "" if settings.order_by == "ignore" else settings.order_by


def _filtered(books: Books, conditions: tuple[Condition, ...], entity: Entity) -> list[Record]:
    records = list(books.all(entity.name))
    if entity.has_active and not any(condition.property == "Active" for condition in conditions):
        records = [record for record in records if record.active]
    tests = [_record_test(condition, entity) for condition in conditions]
    for test in tests:
        records = [record for record in records if test(record)]
    return records


def _record_test(condition: Condition, entity: Entity) -> Callable[[Record], bool]:
    name = condition.property
    if name.lower() in _TIMES:
        attribute = _TIMES[name.lower()]
        test = _value_test(condition, lambda value: _time(value, name))
        return lambda record: test(getattr(record, attribute))
    if name == "Id":
        return _id_test(condition)
    if name == "Active" and entity.has_active:
        test = _value_test(condition, _truth)
        return lambda record: test(record.active)
    _check_queryable(name, entity)
    read = _reader(name)
    matches = _property_test(condition)
    return lambda record: matches(read(record))


def _id_test(condition: Condition) -> Callable[[Record], bool]:
    if all(str(value).isdigit() for value in condition.values) and condition.operator != "LIKE":
        numeric = _value_test(condition, lambda value: int(str(value)))
        return lambda record: numeric(record.number) if record.number else False
    textual = _value_test(condition, str)
    return lambda record: textual(record.id)


def _check_queryable(name: str, entity: Entity) -> None:
    if name not in entity.filterable:
        raise faults.invalid_query(f"property '{name}' is not queryable")


def _value_test(condition: Condition, read: Callable[[str | bool], Any]) -> Test:
    asked = [read(value) for value in condition.values]
    if condition.operator == "IN":
        return lambda found: found in asked
    if condition.operator == "LIKE":
        pattern = _like(str(condition.values[0]))
        return lambda found: pattern.fullmatch(str(found)) is not None
    compare = _COMPARE[condition.operator]
    return lambda found: compare(found, asked[0])


def _property_test(condition: Condition) -> Test:
    """Compare by the type that the record has: amounts as numbers, texts without regard to case."""
    numbers = _optional_test(condition, _number)
    texts = _value_test(condition, lambda value: str(value).lower())
    truths = _optional_test(condition, _truth)

    def test(found: Any) -> bool:
        if found is None:
            return condition.operator == "!="
        if isinstance(found, bool):
            return truths(found)
        if isinstance(found, Decimal | int):
            return numbers(found)
        return texts(str(found).lower())

    return test


def _optional_test(condition: Condition, read: Callable[[str | bool], Any]) -> Test:
    try:
        return _value_test(condition, read)
    except faults.Fault:
        return lambda _found: False


def _like(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in pattern.split("%"))
    return re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)


def _time(value: str | bool, name: str) -> float:
    try:
        return parse_time(str(value))
    except ValueError:
        raise faults.invalid_query(f"value '{value}' of property {name} is not a valid date time") from None


def _truth(value: str | bool) -> bool:
    if isinstance(value, bool):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise faults.invalid_query(f"value '{value}' is not a boolean")


def _number(value: str | bool) -> Decimal:
    try:
        return decimal_of(value)
    except ValueError:
        raise faults.invalid_query(f"value '{value}' is not a number") from None


def _reader(name: str) -> Callable[[Record], Any]:
    """Read one property without decoding the rest of the record."""
    shape = msgspec.defstruct("Row", [(name, Any, None)])
    decoder = msgspec.json.Decoder(shape, float_hook=Decimal)

    def read(record: Record) -> Any:
        found = getattr(decoder.decode(record.json), name)
        if isinstance(found, dict):
            return found.get("value", found.get("Address", found.get("FreeFormNumber")))
        return found

    return read


def _sorted(records: list[Record], orders: tuple[Order, ...], entity: Entity) -> list[Record]:
    if not orders:
        return _default_order(records, entity)
    records.sort(key=lambda record: record.number)
    for order in reversed(orders):
        records.sort(key=_sort_key(order.property, entity), reverse=order.descending)
    return records


def _default_order(records: list[Record], entity: Entity) -> list[Record]:
    if entity.kind == "transaction":
        return sorted(records, key=lambda record: (-record.updated, -record.number))
    if entity.order:
        read = _reader(entity.order)
        return sorted(records, key=lambda record: (str(read(record)).lower(), record.number))
    return records


def _sort_key(name: str, entity: Entity) -> Callable[[Record], Any]:
    if name.lower() in _TIMES:
        attribute = _TIMES[name.lower()]
        return lambda record: getattr(record, attribute)
    if name == "Id":
        return lambda record: record.number
    _check_queryable(name, entity)
    read = _reader(name)
    return lambda record: _orderable(read(record))


def _orderable(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    if isinstance(value, bool | int | Decimal):
        return (1, value)
    return (2, str(value).lower())
