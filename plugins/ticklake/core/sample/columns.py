"""The columns of a CSV: whether their names can be a table's, and what each holds over the whole file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ticklake.core.errors import InputError
from ticklake.core.formats.json_rows import UnfitError, check_column
from ticklake.core.sample.dates import ISO, decided, forms_of
from ticklake.core.sample.kinds import ALL, ColumnKind, is_null, kinds_of, proven

# The columns that include/aws/stack.yaml declares, with the kinds of which each takes the first that fits the whole file.
# A price stays a number also where all are whole, so that its column's type never wavers.
DECLARED: dict[str, tuple[ColumnKind, ...]] = {
    "index": (ColumnKind.STRING,),
    "date": (ColumnKind.DATE, ColumnKind.STRING),
    **dict.fromkeys(("open", "high", "low", "close", "adj close"), (ColumnKind.NUMBER,)),
    "volume": (ColumnKind.WHOLE, ColumnKind.NUMBER),
    "closeusd": (ColumnKind.NUMBER,),
}
_SHOWN = 60  # characters of a value in a message
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class Column:
    """A column whose kind is decided.

    Attributes:
        name: as the header has it, without blanks around it.
        kind: what every value of the file fits.
        form: of its dates, such as ``DD/MM/YYYY``.
        note: what a reader of the log should know of it; may be empty.
    """

    name: str
    kind: ColumnKind
    form: str = ""
    note: str = ""


class Problems:
    """What is wrong with a file: the first few in words, the others counted, one error for all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: list[tuple[int, str]] = []
        self._count = 0

    def add(self, line: int, words: str) -> None:
        """Note one; ``words`` go on after ``line 5``."""
        self._count += 1
        if len(self._first) < _MOST_PROBLEMS:
            self._first.append((line, words))

    def raise_any(self) -> None:
        """Raise InputError when there is one."""
        told = [f"line {line}{words}" for line, words in sorted(self._first)]
        if self._count == 1:
            raise InputError(f"{self._path}, {told[0]}.")
        if self._count:
            more = self._count - len(told)
            lines = [*told, *([f"and {more:,} more"] if more else [])]
            raise InputError(
                f"{self._path} does not fit its columns in {self._count:,} places:\n  " + "\n  ".join(lines)
            )


def check_names(path: Path, line: int, names: Sequence[str]) -> None:
    """Raise InputError that names every column which cannot be one of a table's, by the rules of landing."""
    wrong = []
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names, 1):
        places.setdefault(name.lower(), []).append(place)
        try:
            check_column(name)
        except UnfitError as e:
            wrong.append(f"column {place}: {e}" if name else f"column {place} has no name")
    for name, found in places.items():
        if name and len(found) > 1:
            numbers = f"{', '.join(map(str, found[:-1]))} and {found[-1]}"
            wrong.append(f"columns {numbers} are all {name!r} (Athena does not tell upper from lower case)")
    if wrong:
        raise InputError(
            f"{path}, line {line}: {len(wrong)} of the header's names cannot be names of columns:\n  "
            + "\n  ".join(wrong),
            "\nGive each column of the first line a name of its own.",
        )


class Watched:
    """A column while its file is read for the first time: the kinds that all values so far fit."""

    def __init__(self, name: str) -> None:
        self.name = name
        declared = DECLARED.get(name.lower())
        self._order = declared or ALL
        self._strict = bool(declared) and ColumnKind.STRING not in self._order
        self._fits = set(self._order)
        self._forms: frozenset[str] | None = None  # of the dates; None before the first
        self._numbers = 0  # values of a column of strings that are numbers or dates
        self._misfit = ""  # the first value that is neither

    @property
    def _kind(self) -> ColumnKind:
        return next(kind for kind in self._order if kind in self._fits)

    def look(self, texts: Sequence[str], lines: Sequence[int], problems: Problems) -> None:
        """Take the column's fields of a batch of rows, each with its line."""
        settled = self._fits == {ColumnKind.STRING} and bool(self._misfit)
        if settled and self._numbers:
            return  # nothing more to learn
        if (kinds := proven(texts)) is not None and kinds & self._fits:
            if any(texts):
                self._numbers += len(texts)
                self._fits &= kinds
            return
        if settled:
            return
        different = dict.fromkeys(texts)
        if self._forms and ColumnKind.DATE in self._fits and all(self._forms <= forms_of(text) for text in different):
            return  # dates as before
        for text in different:
            if not is_null(text):
                self._look_at(text, texts, lines, problems)

    def decide(self) -> Column:
        """The column's kind, when the whole file was seen."""
        kind, note = self._kind, ""
        if self._fits == set(ALL) or (kind is ColumnKind.DATE and self._forms is None):
            return Column(self.name, ColumnKind.STRING, note="no values")
        if kind is ColumnKind.DATE and self._forms:
            form = decided(self._forms)
            if form:
                return Column(self.name, kind, form, "" if form == ISO else f"{form} becomes {ISO}")
            forms = " or ".join(sorted(self._forms))
            return Column(self.name, ColumnKind.STRING, note=f"as written: day and month cannot be told apart, {forms}")
        if kind is ColumnKind.STRING and self._numbers and self._misfit and self._order != (ColumnKind.STRING,):
            note = f"strings, since {self._misfit}"
        return Column(self.name, kind, note=note)

    def _look_at(self, text: str, texts: Sequence[str], lines: Sequence[int], problems: Problems) -> None:
        kinds = kinds_of(text)
        if ColumnKind.DATE in kinds and ColumnKind.DATE in self._fits:
            forms = forms_of(text.strip())
            both = forms if self._forms is None else self._forms & forms
            if both:
                self._forms = both
            else:
                kinds.discard(ColumnKind.DATE)
        if self._strict and not kinds & self._fits:
            for line in _lines_of(text, texts, lines):
                problems.add(line, f", column {self.name}: {text[:_SHOWN]!r} is not a {self._order[-1]}")
            return
        was = self._kind
        self._fits &= kinds
        if (was is not ColumnKind.STRING and self._kind is ColumnKind.STRING) or kinds == {ColumnKind.STRING}:
            self._misfit = self._misfit or f"line {_lines_of(text, texts, lines)[0]} has {text[:_SHOWN]!r}"
        if kinds != {ColumnKind.STRING}:
            self._numbers += 1


def _lines_of(text: str, texts: Sequence[str], lines: Sequence[int]) -> list[int]:
    return [line for other, line in zip(texts, lines, strict=True) if other == text]
