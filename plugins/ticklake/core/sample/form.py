"""How a CSV is written: its encoding, decided over the whole file, and its separator, decided by its first rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ticklake.core.errors import InputError

# Of two that both divide the first rows evenly, the one that seldom stands within a name or a number is meant.
SEPARATORS = {"\t": "tab", ";": "semicolon", "|": "pipe", ",": "comma"}
# For a file of one column, whose lines hold whatever they hold: a control character that nothing else uses.
NO_SEPARATOR = "\x1f"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32", "cp1252": "Windows-1252", "latin-1": "Latin-1"}
_NOT_IN_CP1252 = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
_CHUNK = 1 << 20
_SAMPLE_CHARACTERS = 1 << 18
_SAMPLE_ROWS = 200
# No Kafka record is larger by default, and a quote that is never closed is found before the whole file is one field.
MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Form:
    """How a file is written.

    Attributes:
        encoding: Python's name of it.
        separator: one character.
        skips_blanks: blanks between a separator and an opening quote are no part of the field.
        note: why the encoding is none of Unicode's; empty when it is one.
    """

    encoding: str
    separator: str
    skips_blanks: bool = False
    note: str = ""

    def __str__(self) -> str:
        between = SEPARATORS.get(self.separator, "no")
        return f"{_NAMES[self.encoding]}, {between} separator"


def form_of(path: Path) -> Form:
    """Look at a file; raises InputError when it is not text, or cannot be read."""
    encoding, note = _encoding(path)
    with opened(path) as raw, io.TextIOWrapper(raw, encoding, newline="") as text:
        sample = text.read(_SAMPLE_CHARACTERS)
        if len(sample) == _SAMPLE_CHARACTERS:  # the last line may be cut
            sample = sample[: sample.rfind("\n") + 1] or sample
    separator = _separator(sample)
    return Form(encoding, separator, _skips_blanks(sample, separator), note)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes; what the system or the decoder has against them is an InputError."""
    try:
        with path.open("rb") as raw:
            yield raw
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}.", "TICKLAKE_CSV says which file it is.") from e
    except UnicodeDecodeError as e:
        raise InputError(f"{path} is not what its byte order mark says, {_name(e.encoding)}: {e.reason}.") from e


def _name(codec: str) -> str:
    return next((name for encoding, name in _NAMES.items() if codec.startswith(encoding)), codec)


def _encoding(path: Path) -> tuple[str, str]:
    """The encoding, and why it is none of Unicode's."""
    with opened(path) as raw:
        start = raw.read(4)
        marked = next((encoding for bom, encoding in _BOMS if start.startswith(bom)), "")
        if marked and marked != "utf-8-sig":
            return marked, ""
        raw.seek(0)
        line = _first_line_not_utf8(path, raw)
        if not line:
            return "utf-8-sig", ""
        raw.seek(0)
        undefined = any(byte in chunk for chunk in iter(lambda: raw.read(_CHUNK), b"") for byte in _NOT_IN_CP1252)
    encoding = "latin-1" if undefined else "cp1252"
    return encoding, f"line {line} holds bytes that are not UTF-8: the file is read as {_NAMES[encoding]}"


def _first_line_not_utf8(path: Path, raw: BinaryIO) -> int:
    """The number of the first line that is not UTF-8; 0 when all are. Raises InputError when the file is not text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    while True:
        chunk = raw.read(_CHUNK)
        if b"\0" in chunk:
            raise InputError(
                f"{path}, line {lines + chunk.count(bytes([10]), 0, chunk.index(bytes(1)))}: not text, it holds zero bytes.",
                "A compressed file or a spreadsheet is to be unpacked or exported as CSV; UTF-16 needs its byte order mark.",
            )
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as e:
            return lines + chunk.count(b"\n", 0, max(e.start - pending, 0))
        if not chunk:
            return 0
        lines += chunk.count(b"\n")


def _separator(sample: str) -> str:
    """The separator that divides the first rows as evenly as the header, into the most columns."""
    best, most = NO_SEPARATOR, (0.0, 1)
    for separator in SEPARATORS:
        widths = _widths(sample, separator)
        columns = widths[0] if widths else 1
        score = (widths.count(columns) / max(len(widths), 1), columns)
        if columns > 1 and score > most:
            best, most = separator, score
    if best != NO_SEPARATOR:
        return best
    # One column. Where all lines below are divided alike, it is the header that is wrong, and the rows are to say so.
    for separator in SEPARATORS:
        below = set(_widths(sample, separator)[1:])
        if len(below) == 1 and below != {1}:
            return separator
    return NO_SEPARATOR


def _skips_blanks(sample: str, separator: str) -> bool:
    if f'{separator} "' not in sample:
        return False
    plain, skipping = (_widths(sample, separator, skips_blanks=skips) for skips in (False, True))
    return _share(skipping) > _share(plain)


def _share(widths: list[int]) -> float:
    return widths.count(widths[0]) / len(widths) if widths else 0.0


def _widths(sample: str, separator: str, *, skips_blanks: bool = False) -> list[int]:
    """The numbers of fields of the first rows; those before the first that is not CSV."""
    widths: list[int] = []
    reader = csv_reader(io.StringIO(sample, newline=""), separator, skips_blanks, strict=False)
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                widths.append(len(fields))
            if len(widths) == _SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return widths


def csv_reader(text: Iterator[str] | io.StringIO, separator: str, skips_blanks: bool, *, strict: bool) -> Any:
    """Python's reader for that form, with fields of up to ``MOST_CHARACTERS``."""
    csv.field_size_limit(MOST_CHARACTERS)
    return csv.reader(text, delimiter=separator, skipinitialspace=skips_blanks, strict=strict)
