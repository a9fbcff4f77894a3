"""Makes ``include/data/indexProcessed.csv``: daily ticks of 13 stock indices that look like the real ones, and are not.

    python -m local.make_ticks --rows 20000 --seed 7 --out include/data/indexProcessed.csv

The same seed and rows give the same bytes. With 104,224 rows each index has about every trading day of its span; with fewer,
evenly spaced ones; with more, its days go on after the span.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

HEADER = "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD"
DEFAULT_FILE = Path(__file__).resolve().parents[1] / "include" / "data" / "indexProcessed.csv"
_MOST_ROWS = 10_000_000  # the calendar ends in the year 9999


@dataclass(frozen=True)
class Index:
    """One index: its span and levels (the real ones, roughly), where it trades, and when volumes begin.

    ``usd`` is the price of one unit of its currency in US dollars; ``closed`` lists fixed holidays as month-day.
    """

    name: str
    first: date
    last: date
    low: float
    high: float
    usd: float
    volume_from: int
    shares: float
    closed: str


INDICES = (
    Index(
        "HSI", date(1986, 12, 31), date(2021, 5, 31), 2568, 29151, 0.13, 2001, 1.6e9, "01-01 07-01 10-01 12-25 12-26"
    ),
    Index("NYA", date(1965, 12, 31), date(2021, 5, 28), 528, 16555, 1.0, 2001, 3.5e9, "01-01 07-04 12-25"),
    Index("IXIC", date(1971, 2, 5), date(2021, 5, 28), 100, 13748, 1.0, 1984, 1.9e9, "01-01 07-04 12-25"),
    Index(
        "000001.SS", date(1997, 7, 2), date(2021, 5, 31), 1199, 3615, 0.16, 2002, 1.2e5, "01-01 05-01 10-01 10-02 10-03"
    ),
    Index(
        "N225",
        date(1965, 1, 5),
        date(2021, 6, 3),
        1257,
        29058,
        0.01,
        2002,
        1.2e8,
        "01-01 01-02 01-03 05-03 05-04 05-05",
    ),
    Index("N100", date(1999, 12, 31), date(2021, 6, 2), 1000, 1263, 1.22, 2012, 2.4e8, "01-01 05-01 12-25 12-26"),
    Index(
        "399001.SZ",
        date(1997, 8, 22),
        date(2021, 5, 31),
        4079,
        14996,
        0.16,
        2006,
        1.5e5,
        "01-01 05-01 10-01 10-02 10-03",
    ),
    Index("GSPTSE", date(1979, 6, 29), date(2021, 5, 31), 1618, 19731, 0.83, 2001, 1.9e8, "01-01 07-01 12-25 12-26"),
    Index("NSEI", date(2007, 9, 17), date(2021, 5, 31), 4494, 15582, 0.01, 2013, 3.1e5, "01-26 08-15 10-02 12-25"),
    Index("GDAXI", date(1987, 12, 30), date(2021, 5, 31), 1000, 15421, 1.22, 2000, 1.0e8, "01-01 05-01 12-25 12-26"),
    Index("SSMI", date(1990, 11, 9), date(2021, 5, 31), 1379, 11363, 1.11, 2007, 5.2e7, "01-01 08-01 12-25 12-26"),
    Index("TWII", date(1997, 7, 2), date(2021, 5, 31), 8996, 17068, 0.04, 2001, 3.1e6, "01-01 02-28 10-10"),
    Index("J203.JO", date(2012, 2, 8), date(2021, 5, 31), 34188, 67964, 0.07, 2013, 2.3e8, "01-01 04-27 12-25 12-26"),
)


def lines(rows: int, seed: int) -> Iterator[str]:
    """The file's lines without line ends: the header, then the indices one after the other, each by date."""
    yield HEADER
    days = [sum(1 for _ in _trading_days(index, index.last)) for index in INDICES]
    for index, count, share in zip(INDICES, days, _shares(rows, days), strict=True):
        yield from _index_lines(index, count, share, random.Random(f"{seed} {index.name}"))  # noqa: S311 - not a secret


def _shares(rows: int, days: list[int]) -> list[int]:
    """The rows of each index, in proportion to its days; they add up to ``rows``."""
    ends = [round(rows * sum(days[: n + 1]) / sum(days)) for n in range(len(days))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _trading_days(index: Index, last: date | None = None) -> Iterator[date]:
    closed = set(index.closed.split())
    day = index.first
    while last is None or day <= last:
        if day.weekday() < 5 and f"{day:%m-%d}" not in closed:
            yield day
        day += timedelta(days=1)


def _index_lines(index: Index, span: int, wanted: int, chance: random.Random) -> Iterator[str]:
    """``wanted`` lines out of the ``span`` trading days of the index, or of more days where ``span`` is too few."""
    made = 0
    for n, (day, prices) in enumerate(zip(_trading_days(index), _prices(index, span, chance), strict=False)):
        if made == wanted:
            return
        if n < made * span // wanted:  # thinned: the days between are lived through, but not written
            continue
        made += 1
        yield _line(index, day, *prices)


def _prices(index: Index, span: int, chance: random.Random) -> Iterator[tuple[float, float, float, float, float]]:
    """Open, high, low, close, volume of each day, endlessly.

    The logarithm of the level follows the line between the index's first and last real level; around it the price walks,
    with calm and nervous times, and is drawn back slowly, so that it stays in range however long the file is.
    """
    drift = math.log(index.high / index.low)
    away, nervous, close = 0.0, 1.0, index.low
    n = 0
    while True:
        nervous = max(0.3, 1.0 + 0.97 * (nervous - 1.0) + 0.12 * chance.gauss(0, 1))
        step = 0.009 * nervous
        away = 0.998 * away + step * chance.gauss(0, 1)
        open_ = close * math.exp(0.3 * step * chance.gauss(0, 1))
        close = index.low * math.exp(drift * min(n / span, 1.0) + away)
        high = max(open_, close) * (1 + 0.4 * step * abs(chance.gauss(0, 1)))
        low = min(open_, close) * (1 - 0.4 * step * min(abs(chance.gauss(0, 1)), 3.0))
        yield open_, high, low, close, index.shares * math.exp(0.35 * chance.gauss(0, 1)) * (0.5 + nervous / 2)
        n += 1


def _line(index: Index, day: date, open_: float, high: float, low: float, close: float, volume: float) -> str:
    # Rounding keeps the order of the prices; CloseUSD is made from the price as written.
    prices = [f"{p:.4f}" for p in (open_, high, low, close, close)]
    volume = round(volume) if day.year >= index.volume_from else 0
    return f"{index.name},{day},{','.join(prices)},{volume}.0,{round(float(prices[3]) * index.usd, 6)}"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.make_ticks", description="Make a CSV of stock index ticks.")
    parser.add_argument("--rows", type=int, default=20_000, help="rows to make (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed, another history (default %(default)s)")
    parser.add_argument("--out", type=Path, default=DEFAULT_FILE, help="file to write (default: the project's own)")
    args = parser.parse_args(argv)
    if not 1 <= args.rows <= _MOST_ROWS:
        parser.error(f"--rows {args.rows} is not between 1 and {_MOST_ROWS}")
    try:
        with args.out.open("w", encoding="ascii", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines(args.rows, args.seed))
    except OSError as e:
        print(f"{args.out} cannot be written: {e.strerror}.", file=sys.stderr)
        return 1
    print(f"{args.out}: {args.rows:,} rows, {args.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
