"""Athena's SQL to DuckDB's: what is not known to mean the same in both is refused. Pure: tables come from a function.

The way of a query: parse, refuse what is not emulated, resolve tables and columns as Athena does (so that a query that
works here also works there), rewrite what differs, print for DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokens import TokenType

from local.aws import families
from local.aws.catalog import NotEmulatedError, QueryError, Table
from local.aws.sql_rules import ALLOWED, UNNAMED, annotate, rewrite

Lookup = Callable[[str, str], Table | None]
Databases = Callable[[], list[str]]
Output = tuple[str, str]  # a column's name and family

_FIRST_MARK, _LAST_MARK = "\ue000", "\uf8ff"


class MalformedQueryError(Exception):
    """Athena does not take the query at all: StartQueryExecution answers InvalidRequestException."""


@dataclass(frozen=True)
class Scan:
    """One mention of a table: the view that stands for it, and the conditions that only name partition columns."""

    view: str
    table: Table
    alias: str
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """A query for DuckDB, and the scans that must be there as views before it runs."""

    sql: str
    scans: tuple[Scan, ...]


def parse(text: str) -> Any:
    """The syntax tree of one query; raises MalformedQueryError."""
    try:
        tokens = sqlglot.tokenize(text, dialect="athena")
        if any(t.token_type == TokenType.DCOLON for t in tokens):
            raise MalformedQueryError("mismatched input '::': Athena casts with CAST(x AS type)")
        marks = [t.start for t in tokens if t.token_type == TokenType.PLACEHOLDER]
        trees = [t for t in sqlglot.parse(_numbered(text, marks), dialect="athena") if t is not None]
    except SqlglotError as e:
        places = getattr(e, "errors", None) or [{}]
        line, column = places[0].get("line", 1), places[0].get("col", 1)
        near = places[0].get("highlight", "")
        raise MalformedQueryError(f"line {line}:{column}: mismatched input '{near}'") from e
    if len(trees) != 1:
        raise MalformedQueryError(f"Only one sql statement is allowed. Got: {text.strip()}")
    if not isinstance(trees[0], exp.Query):
        word = text.split()[0]
        raise MalformedQueryError(f"line 1:1: mismatched input '{word}'. Expecting a query or a statement")
    for column in list(trees[0].find_all(exp.Column)):
        if len(column.name) == 1 and _FIRST_MARK <= column.name <= _LAST_MARK:
            mark = exp.Placeholder()
            mark.meta["start"] = ord(column.name) - ord(_FIRST_MARK)
            column.replace(mark)
    return trees[0]


def _numbered(text: str, marks: list[int]) -> str:
    """The query with each question mark replaced by a letter for private use, counted upwards.

    A tree does not say in which order its question marks stood in the text; columns of these names do, and one letter
    for one leaves every place in the text where it was.
    """
    letters = list(text)
    for n, position in enumerate(marks):
        letters[position] = chr(ord(_FIRST_MARK) + n)
    return "".join(letters)


def translate(tree: Any, database: str, parameters: Sequence[str], lookup: Lookup, databases: Databases) -> Query:
    """Make a query for DuckDB of a parsed one.

    Args:
        tree: of ``parse``; it is changed.
        database: of unqualified tables.
        parameters: SQL literals for the query's question marks, in order.
        lookup: a table by database and name.
        databases: names of all databases.

    Raises:
        QueryError: in Athena's words, or NotEmulatedError.
    """
    _set_parameters(tree, parameters)
    _refuse_unknown(tree)
    scans = _Resolver(database, lookup, databases).resolve(tree)
    _name_columns(tree)
    annotate(tree)
    conditions = [[_print(rewrite(c.copy())) for c in cs] for _, _, _, cs in scans]
    tree = rewrite(tree)
    found = (Scan(v, t, a, tuple(c)) for (v, t, a, _), c in zip(scans, conditions, strict=True))
    return Query(_print(tree), tuple(found))


def _print(tree: Any) -> str:
    text: str = tree.sql(dialect="duckdb", identify=True)
    return text


def _set_parameters(tree: Any, parameters: Sequence[str]) -> None:
    marks = sorted(tree.find_all(exp.Placeholder), key=_order)
    if len(marks) != len(parameters):
        raise QueryError(
            f"SYNTAX_ERROR: Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
        )
    for mark, text in zip(marks, parameters, strict=True):
        value = parse(f"SELECT {text}").selects[0]
        if not isinstance(value, exp.Literal | exp.Neg | exp.Cast | exp.Boolean | exp.Null):
            raise QueryError(f"SYNTAX_ERROR: the execution parameter {text} is not a literal; texts need quotes")
        mark.replace(value)


def _order(node: Any) -> int:
    position: int = node.meta.get("start", 0)
    return position


def _refuse_unknown(tree: Any) -> None:
    for node in tree.walk():
        if isinstance(node, exp.Anonymous):
            raise NotEmulatedError(f"function {node.name.lower()}")
        if type(node).__name__ not in ALLOWED:
            name = node.sql_name().lower() if isinstance(node, exp.Func) else node.key
            raise NotEmulatedError(f"{'function ' if isinstance(node, exp.Func) else ''}{name}")
    if any(w.args.get("recursive") for w in tree.find_all(exp.With)):
        raise NotEmulatedError("WITH RECURSIVE")
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        distinct = select.args.get("distinct")
        if (group and group.args.get("all")) or (distinct and distinct.args.get("on")):
            raise QueryError("SYNTAX_ERROR: Athena has no GROUP BY ALL and no DISTINCT ON")
    for star in tree.find_all(exp.Star):
        if any(star.args.values()):
            raise QueryError("SYNTAX_ERROR: Athena's * takes no EXCEPT, REPLACE or RENAME")


def _name_columns(tree: Any) -> None:
    """Give every column without a name a mark; Athena calls it after its place, which is known when stars are wide."""
    marks = 0
    for select in tree.find_all(exp.Select):
        for item in list(select.expressions):
            named = isinstance(item, exp.Alias | exp.Column | exp.Star | exp.Dot)
            if not named:
                inner = item.unnest()
                name = inner.name if isinstance(inner, exp.Column) else f"{UNNAMED}{marks}"
                item.replace(exp.alias_(item.copy(), name, quoted=True))
                marks += 1


def place(node: Any) -> str:
    """``line 1:8``, where an identifier begins."""
    meta = node.meta
    width = meta.get("end", 0) - meta.get("start", 0)
    return f"line {meta.get('line', 1)}:{max(meta.get('col', 1) - width, 1)}"


class _Resolver:
    """Finds the table of each name and the source of each column, as strictly as Athena does."""

    def __init__(self, database: str, lookup: Lookup, databases: Databases) -> None:
        self._database, self._lookup, self._databases = database, lookup, databases
        self._tables: dict[int, Table] = {}  # by id of the node
        self._outputs: dict[int, list[Output]] = {}  # by id of the scope's tree

    def resolve(self, tree: Any) -> list[tuple[str, Table, str, list[Any]]]:
        """Check all names, put a view in the place of each table; returns view, table, alias, partition conditions."""
        scopes = list(traverse_scope(tree))  # inner ones first
        for scope in scopes:
            for source in scope.sources.values():
                if isinstance(source, exp.Table) and id(source) not in self._tables:
                    self._tables[id(source)] = self._table(source)
        for scope in scopes:
            if isinstance(scope.expression, exp.Select):
                self._check_columns(scope)
                _check_types(scope.expression)
            self._outputs[id(scope.expression)] = self._outputs_of(scope)
        found: list[tuple[str, Table, str, list[Any]]] = []
        for scope in scopes:
            for alias, (_, node) in scope.selected_sources.items():
                if isinstance(node, exp.Table) and id(node) in self._tables:
                    table = self._tables.pop(id(node))
                    conditions = _partition_conditions(scope.expression, alias, table)
                    view = f"scan_{len(found)}"
                    node.replace(exp.alias_(exp.to_table(view), alias, table=True, quoted=True))
                    found.append((view, table, alias, conditions))
        return found

    def _table(self, node: Any) -> Table:
        database = (node.db or self._database).lower()
        if node.catalog and node.catalog.lower() != "awsdatacatalog":
            raise NotEmulatedError(f"the data catalog {node.catalog}")
        if database == "information_schema":
            raise NotEmulatedError("information_schema; SHOW TABLES and SHOW PARTITIONS are")
        if database not in self._databases():
            raise QueryError(f"SCHEMA_NOT_FOUND: {place(node.this)}: Schema '{database}' does not exist")
        table = self._lookup(database, node.name)
        if table is None:
            name = f"awsdatacatalog.{database}.{node.name.lower()}"
            raise QueryError(f"TABLE_NOT_FOUND: {place(node.this)}: Table '{name}' does not exist")
        return table

    def _columns_of(self, source: Any) -> list[Output]:
        if isinstance(source, exp.Table):
            table = self._tables[id(source)]
            return [(name, families.of_kind(kind)) for name, kind in table.kinds.items()]
        columns = self._outputs.get(id(source.expression), [])
        parent = source.expression.parent
        alias = parent.args.get("alias") if isinstance(parent, exp.Subquery | exp.CTE) else None
        names = [c.name.lower() for c in alias.columns] if alias else []
        return [(name, family) for name, (_, family) in zip(names, columns, strict=False)] or columns

    def _outputs_of(self, scope: Scope) -> list[Output]:
        tree = scope.expression
        if not isinstance(tree, exp.Select):
            return self._outputs_of_set(tree)
        outputs: list[Output] = []
        for item in tree.selects:
            if item.is_star:
                wanted = item.table if isinstance(item, exp.Column) else ""
                for alias, (_, source) in scope.selected_sources.items():
                    if wanted.lower() in ("", alias.lower()):
                        outputs += self._columns_of(source)
            else:
                outputs.append((item.alias_or_name.lower(), families.family(item.unalias())))
        return outputs

    def _outputs_of_set(self, tree: Any) -> list[Output]:
        """Of UNION and the like: the names of the left side, the families where both sides agree."""
        if not isinstance(tree, exp.SetOperation):
            return self._outputs.get(id(tree.this), [])
        left, right = (self._outputs.get(id(t.unnest()), []) for t in (tree.left, tree.right))
        return [(name, f if f == g else "") for (name, f), (_, g) in zip(left, right, strict=False)]

    def _check_columns(self, scope: Scope) -> None:
        select = scope.expression
        aliases = {s.alias.lower() for s in select.selects if isinstance(s, exp.Alias)}
        using = any(j.args.get("using") for j in select.args.get("joins") or [])
        for column in list(scope.columns):
            if isinstance(column.this, exp.Star):
                continue
            if not column.table and column.name.lower() in aliases and _in_order_by(column, select):
                continue
            if column.find_ancestor(exp.Select) is not select:
                continue  # checked in its own scope
            self._check_column(column, scope, using)

    def _check_column(self, column: Any, scope: Scope | None, using: bool) -> None:
        column.set("db", None)
        column.set("catalog", None)
        name, wanted = column.name.lower(), column.table.lower()
        while scope is not None:
            sources = {a: s for a, (_, s) in scope.selected_sources.items() if wanted in ("", a.lower())}
            owners = [a for a, s in sources.items() if name in dict(self._columns_of(s))]
            if len(owners) > 1 and not using:
                raise QueryError(f"AMBIGUOUS_NAME: {place(column.this)}: Column '{name}' is ambiguous")
            if owners:
                if not using:
                    column.set("table", exp.to_identifier(owners[0], quoted=True))
                column.meta["family"] = dict(self._columns_of(sources[owners[0]]))[name]
                return
            if wanted and self._is_field(column, scope):
                return
            scope = scope.parent
        shown = f"{wanted}.{name}" if wanted else name
        raise QueryError(
            f"COLUMN_NOT_FOUND: {place(column.this)}: Column '{shown}' cannot be resolved or requester is not "
            "authorized to access requested resources"
        )

    def _is_field(self, column: Any, scope: Scope) -> bool:
        """``row_column.field`` looks like ``table.column``: make it a field."""
        sources = scope.selected_sources.items()
        owners = [a for a, (_, s) in sources if column.table.lower() in dict(self._columns_of(s))]
        if len(owners) != 1:
            return False
        base = exp.column(column.args["table"].copy(), table=owners[0], quoted=True)
        column.replace(exp.Dot(this=base, expression=column.this.copy()))
        return True


def _check_types(select: Any) -> None:
    """Athena compares no text with a number (DuckDB would convert): ``hr = 10`` on a partition column is an error."""
    for node in select.find_all(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between):
        for left, right in _compared(node):
            found = {families.family(left.unnest()), families.family(right.unnest())}
            if families.TEXT in found and found & {families.INTEGER, families.DOUBLE, families.DECIMAL}:
                where = next((place(c.this) for c in node.find_all(exp.Column)), "line 1:1")
                operator = node.sql(dialect="athena")
                raise QueryError(f"TYPE_MISMATCH: {where}: Cannot apply operator: varchar with a number: {operator}")


def _compared(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, exp.In):
        yield from ((node.this, value) for value in node.expressions)
    elif isinstance(node, exp.Between):
        yield node.this, node.args["low"]
        yield node.this, node.args["high"]
    else:
        yield node.left, node.right


def _in_order_by(column: Any, select: Any) -> bool:
    order = column.find_ancestor(exp.Order)
    return order is not None and order.parent is select


def _partition_conditions(select: Any, alias: str, table: Table) -> list[Any]:
    """Parts of WHERE that only partition columns of this source decide; rows they reject cannot be in the result."""
    if not isinstance(select, exp.Select) or not select.args.get("where"):
        return []
    joins = select.args.get("joins") or []
    if any(j.side for j in joins):  # an outer join makes rows of its own where a source has none
        first = select.args.get("from_") or select.args.get("from")
        only_left = all(j.side == "LEFT" for j in joins)
        if not only_left or first is None or first.this.alias_or_name != alias:
            return []
    where = select.args["where"].this
    parts = list(where.flatten()) if isinstance(where, exp.And) else [where]
    return [p for p in parts if _is_decided_by(p, alias, table)]


def _is_decided_by(condition: Any, alias: str, table: Table) -> bool:
    columns = list(condition.find_all(exp.Column))
    if not columns or condition.find(exp.Query, exp.AggFunc, exp.Window):
        return False
    return all(c.table == alias and c.name.lower() in table.keys for c in columns)
