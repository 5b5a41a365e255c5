"""
The query language of QuickBooks, from text to a tree.

Intuit::

    SELECT * | count(*) FROM IntuitEntity
      [WHERE Property Op Value [AND ...]] [ORDERBY Property [ASC|DESC]] [STARTPOSITION n] [MAXRESULTS n]
    Op: = < > <= >= IN LIKE
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from sandbox import faults

MAX_RESULTS = 1000
DEFAULT_RESULTS = 100
KEYWORDS = frozenset(
    {"SELECT", "FROM", "WHERE", "AND", "IN", "LIKE", "ORDERBY", "ORDER", "BY", "ASC", "DESC"}
    | {"STARTPOSITION", "MAXRESULTS", "COUNT", "TRUE", "FALSE"}
)
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<STRING>'(?:[^'\\]|\\.)*')
      | (?P<NUMBER>-?\d+(?:\.\d+)?)
      | (?P<WORD>[A-Za-z_][A-Za-z0-9_.]*)
      | (?P<SIGN><=|>=|!=|=|<|>|\(|\)|,|\*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_OPERATORS = ("=", "<", ">", "<=", ">=", "!=")


class Token(NamedTuple):
    """A word of a query and where it stands, counted from 1."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; IN has several values."""

    property: str
    operator: str
    values: tuple[str | bool, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """A property to sort by."""

    property: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed statement."""

    entity: str
    counts: bool = False
    conditions: tuple[Condition, ...] = ()
    orders: tuple[Order, ...] = ()
    start: int = 1
    limit: int = DEFAULT_RESULTS


def parse(text: str) -> Query:
    """
    Parse a statement.

    :raises faults.Fault: 4000 when it is no query, 4001 when a number is out of range.
    """
    if not text.strip():
        raise faults.unparsable_query("The query provided was empty")
    return _Parser(_tokens(text)).query()


def _tokens(text: str) -> list[Token]:
    tokens = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            _lexical_error(text, position)
        kind, word = match.lastgroup, match.group(match.lastgroup)
        if kind == "WORD" and word.upper() in KEYWORDS:
            kind = "KEYWORD"
        tokens.append(Token(kind, word, match.start(match.lastgroup) + 1))
        position = match.end()
    tokens.append(Token("EOF", "", len(text) + 1))
    return tokens


def _lexical_error(text: str, position: int) -> NoReturn:
    column = position + len(text[position:]) - len(text[position:].lstrip())
    sign = text[column]
    raise faults.unparsable_query(
        f'Lexical error at line 1, column {column + 1}.  Encountered: "{sign}" ({ord(sign)}), after : ""'
    )


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0

    def query(self) -> Query:
        self._keyword("SELECT")
        counts = self._selection()
        self._keyword("FROM")
        entity = self._next("WORD").text
        conditions = self._conditions()
        orders = self._orders()
        start, limit = self._paging()
        if self._current.kind != "EOF":
            self._refuse("<EOF>")
        return Query(entity, counts, conditions, orders, start, limit)

    @property
    def _current(self) -> Token:
        return self._tokens[self._index]

    def _selection(self) -> bool:
        if self._accept("COUNT"):
            for sign in "(*)":
                self._sign(sign)
            return True
        while True:
            if not self._accept_sign("*"):
                self._next("WORD")
            if not self._accept_sign(","):
                return False

    def _conditions(self) -> tuple[Condition, ...]:
        if not self._accept("WHERE"):
            return ()
        conditions = [self._condition()]
        while self._accept("AND"):
            conditions.append(self._condition())
        return tuple(conditions)

    def _condition(self) -> Condition:
        name = self._next("WORD").text
        if self._accept("IN"):
            return Condition(name, "IN", self._values())
        if self._accept("LIKE"):
            return Condition(name, "LIKE", (self._value(),))
        for operator in _OPERATORS:
            if self._accept_sign(operator):
                return Condition(name, operator, (self._value(),))
        return self._refuse(*(f'"{operator}"' for operator in _OPERATORS), '"IN"', '"LIKE"')

    def _values(self) -> tuple[str | bool, ...]:
        self._sign("(")
        values = [self._value()]
        while self._accept_sign(","):
            values.append(self._value())
        self._sign(")")
        return tuple(values)

    def _value(self) -> str | bool:
        if self._accept("TRUE"):
            return True
        if self._accept("FALSE"):
            return False
        token = self._current
        if token.kind not in ("STRING", "NUMBER"):
            self._refuse('"false"', '"true"', "<STRING>", "<NUMBER>")
        self._index += 1
        if token.kind == "NUMBER":
            return token.text
        return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)

    def _orders(self) -> tuple[Order, ...]:
        if self._accept("ORDER"):
            self._keyword("BY")
        elif not self._accept("ORDERBY"):
            return ()
        orders = [self._order()]
        while self._accept_sign(","):
            orders.append(self._order())
        return tuple(orders)

    def _order(self) -> Order:
        name = self._next("WORD").text
        if self._accept("DESC"):
            return Order(name, descending=True)
        self._accept("ASC")
        return Order(name)

    def _paging(self) -> tuple[int, int]:
        start, limit = 1, DEFAULT_RESULTS
        while True:
            if self._accept("STARTPOSITION"):
                # The PHP SDK's FindAll sends 0 and gets the first page.
                start = max(1, int(self._next("NUMBER").text))
            elif self._accept("MAXRESULTS"):
                limit = _limit(int(self._next("NUMBER").text))
            else:
                return start, limit

    def _accept(self, keyword: str) -> bool:
        token = self._current
        if token.kind == "KEYWORD" and token.text.upper() == keyword:
            self._index += 1
            return True
        return False

    def _accept_sign(self, sign: str) -> bool:
        if self._current.kind == "SIGN" and self._current.text == sign:
            self._index += 1
            return True
        return False

    def _keyword(self, keyword: str) -> None:
        if not self._accept(keyword):
            self._refuse(f'"{keyword}"')

    def _sign(self, sign: str) -> None:
        if not self._accept_sign(sign):
            self._refuse(f'"{sign}"')

    def _next(self, kind: str) -> Token:
        token = self._current
        if token.kind != kind:
            self._refuse("<IDENTIFIER>" if kind == "WORD" else f"<{kind}>")
        self._index += 1
        return token

    def _refuse(self, *expected: str) -> NoReturn:
        token = self._current
        shown = {
            "EOF": '"<EOF>"',
            "WORD": f'" <IDENTIFIER> "{token.text} ""',
            "STRING": f'" <STRING> "{token.text} ""',
        }.get(token.kind, f'" "{token.text}" "{token.text} ""')
        choices = "\n    ".join(f"{choice} ..." for choice in expected)
        raise faults.unparsable_query(
            f"Encountered {shown} at line 1, column {token.column}.\nWas expecting one of:\n    {choices}\n    "
        )


def _limit(number: int) -> int:
    if number < 1:
        raise faults.invalid_query(f"value {number} is too small. Min allowed value is 1")
    if number > MAX_RESULTS:
        raise faults.invalid_query(f"value {number} is too large. Max allowed value is {MAX_RESULTS}")
    return number
