from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.make_ticks import DEFAULT_FILE, INDICES, lines, main
from ticklake.core.sample.table import read_table


def ticks(file: Path) -> Iterator[dict[str, Any]]:
    table = read_table(file)
    assert table is not None
    return table.ticks()


@pytest.fixture(scope="module")
def by_index() -> dict[str, list[dict]]:
    found: dict[Any, list[dict]] = defaultdict(list)
    for tick in ticks(DEFAULT_FILE):
        found[tick["Index"]].append(tick)
    return found


def test_the_same_seed_makes_the_file_of_the_project_again(tmp_path: Path):
    made = tmp_path / "made.csv"
    assert main(["--rows", "20000", "--seed", "7", "--out", str(made)]) == 0
    assert made.read_bytes() == DEFAULT_FILE.read_bytes()
    assert made.stat().st_size < 2_000_000


def test_another_seed_makes_another_file():
    assert list(lines(50, 1)) != list(lines(50, 2))


@pytest.mark.parametrize("rows", [1, 12, 1000])
def test_it_makes_exactly_the_rows_asked_for(rows):
    assert len(list(lines(rows, 1))) == rows + 1


def test_more_rows_than_the_real_file_go_on_after_its_years(tmp_path: Path):
    made = tmp_path / "made.csv"
    assert main(["--rows", "130000", "--out", str(made)]) == 0
    days = [str(tick["Date"]) for tick in ticks(made) if tick["Index"] == "HSI"]
    assert len(set(days)) == len(days)
    assert days[-1] > "2022"


def test_the_thirteen_indices_span_their_years(by_index):
    assert list(by_index) == [index.name for index in INDICES]
    assert len(by_index) == 13
    for index in INDICES:
        days = [date.fromisoformat(t["Date"]) for t in by_index[index.name]]
        assert days[0] == index.first
        assert abs((index.last - days[-1]).days) < 30


def test_only_trading_days_in_order(by_index):
    for index in INDICES:
        days = [date.fromisoformat(t["Date"]) for t in by_index[index.name]]
        assert all(a < b for a, b in pairwise(days))
        assert all(day.weekday() < 5 and f"{day:%m-%d}" not in index.closed for day in days)


def test_low_and_high_enclose_open_and_close(by_index):
    for ticks in by_index.values():
        assert all(t["Low"] <= min(t["Open"], t["Close"]) and max(t["Open"], t["Close"]) <= t["High"] for t in ticks)


def test_prices_move_like_prices():
    """Daily moves of about one percent, never a jump, and levels near the real ones."""
    closes = defaultdict(list)
    for line in list(lines(104_224, 3))[1:]:
        name, _, _, _, _, close, *_ = line.split(",")
        closes[name].append(float(close))
    for index in INDICES:
        moves = [abs(b / a - 1) for a, b in pairwise(closes[index.name])]
        assert 0.005 < sum(moves) / len(moves) < 0.015
        assert max(moves) < 0.15
        assert index.high / 3 < closes[index.name][-1] < index.high * 3


def test_volumes_begin_in_the_years_that_have_them(by_index):
    for index in INDICES:
        ticks = by_index[index.name]
        assert all((t["Volume"] == 0) == (int(t["Date"][:4]) < index.volume_from) for t in ticks)


def test_close_in_dollars_is_the_close_at_the_rate_of_the_currency(by_index):
    for index in INDICES:
        assert all(abs(t["CloseUSD"] - t["Close"] * index.usd) < 1e-6 for t in by_index[index.name])


def test_a_wrong_number_of_rows_and_a_wrong_place_are_told_in_words(tmp_path: Path, capsys):
    with pytest.raises(SystemExit):
        main(["--rows", "0"])
    assert "--rows 0 is not between" in capsys.readouterr().err
    assert main(["--rows", "1", "--out", str(tmp_path / "none" / "x.csv")]) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
