"""Athena's counts in the verdict: of the offsets that were compared, and only of those."""

from tests.support.catalogued import TABLE, Catalogued, new_lake
from tests.support.landed import land
from ticklake.clients.aws.athena import Question
from ticklake.verify.athena import count
from ticklake.verify.verdict import AthenaCount


def ask(lake: Catalogued):
    def rows(sql: str):
        return [tuple(map(str, row)) for row in lake.athena.ask({"verify": Question(sql)})["verify"].rows]

    return rows


def test_athena_counts_the_compared_offsets_and_no_others(aws_endpoint: str) -> None:
    lake = new_lake(aws_endpoint)
    land(lake.lake, TABLE, "2026-11-22T10:05", {0: (0, 5), 1: (7, 9)})
    land(lake.lake, TABLE, "2026-11-23T00:00", {0: (5, 6), 1: (9, 9)})
    lake.crawl()
    first, last = "2026-11-22T10:05", "2026-11-23T00:00"
    assert count(ask(lake), TABLE, first, last, {0: (0, 6), 1: (7, 9), 2: (3, 3)}) == AthenaCount(8, 8)
    assert count(ask(lake), TABLE, first, first, {0: (1, 5)}) == AthenaCount(4, 4)


def test_a_table_that_athena_does_not_know_is_told_and_not_agreed(aws_endpoint: str) -> None:
    lake = new_lake(aws_endpoint)
    found = count(ask(lake), "nowhere", "2026-11-22T10:05", "2026-11-22T10:05", {0: (0, 1)})
    assert found.count is None
    assert "nowhere" in found.problem


def test_nothing_compared_is_not_asked() -> None:
    assert count(lambda _: [], TABLE, None, None, {}) == AthenaCount(0, 0)
