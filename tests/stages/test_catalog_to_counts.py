import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.catalogued import TABLE, Catalogued, new_lake
from tests.support.landed import land, put_object
from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.landing.object_key import counts_key
from ticklake.core.minute import Hour, Minute
from ticklake.core.proof.row_counts import Tally
from ticklake.stages.catalog_to_counts import CountedHour, count_hour, landed_in, queries

FOLDER = Path(__file__).resolve().parents[2] / "include" / "sql" / "counts"
SQL = queries(FOLDER)
HOUR = Hour.parse("2026-11-22T10")


@pytest.fixture
def catalogued(aws_endpoint: str) -> Catalogued:
    return new_lake(aws_endpoint)


def count(catalogued: Catalogued, hour: Hour = HOUR, sleep=lambda _: None) -> CountedHour:
    return count_hour(catalogued.lake, catalogued.athena, TABLE, SQL, hour, sleep)


@pytest.fixture
def ticks(catalogued: Catalogued) -> Catalogued:
    """Two sealed minutes: 10 rows in the Kafka partitions 0 and 1."""
    land(catalogued.lake, TABLE, "2026-11-22T10:00", {0: (100, 104), 1: (0, 2), 2: (7, 7)})
    land(catalogued.lake, TABLE, "2026-11-22T10:01", {0: (104, 107), 1: (2, 3), 2: (7, 7)})
    catalogued.crawl()
    return catalogued


def test_an_hour_is_counted_and_equals_its_manifests(ticks):
    counted = count(ticks)
    assert str(counted.tally) == "landed 10 · counted 10 · difference 0"
    assert counted.total == Tally(10, 10, 10)


def test_each_query_answers_for_the_hour(ticks):
    answers = count(ticks).answers
    assert answers["rows"].rows == ((10,),)
    assert answers["distinct_offsets"].rows == ((0, 7, 7, 100, 106), (1, 3, 3, 0, 2))
    assert [row[1] for row in answers["per_minute"].rows] == [6, 4]
    assert answers["per_index"].rows == (("HSI", 7, 1), ("NYA", 3, 1))
    newest = answers["newest_tick"]
    assert [dict(zip(newest.columns, row, strict=True))["kafka_offset"] for row in newest.rows] == [106, 2]
    assert newest.rows[0][:4] == ("HSI", "1987-01-02", 126.5, 126.5)


def test_answers_are_kept_under_counts(ticks):
    count(ticks)
    kept = json.loads(ticks.lake.get(counts_key(TABLE, HOUR, "per_index")))
    assert kept["title"].startswith("Rows of each index")
    assert (kept["hour"], kept["minutes"], kept["rows"]) == ("2026-11-22T10", 2, [["HSI", 7, 1], ["NYA", 3, 1]])


def test_the_tables_and_the_comparison_stand_in_the_log(ticks, caplog):
    caplog.set_level("INFO")
    count(ticks)
    assert "Rows of each index; one index lies in one Kafka partition, its key decides which\nindex" in caplog.text
    assert "2026-11-22T10, sealed minutes: 2: landed 10 · counted 10 · difference 0" in caplog.text
    assert "All hours: landed 10 · counted 10 · difference 0" in caplog.text


def test_the_summary_of_the_asset_event_is_json(ticks):
    summary = json.loads(json.dumps(count(ticks).summary()))
    assert (summary["of_all"], summary["records"]) == ("landed 10 · counted 10 · difference 0", 10)
    assert summary["answers"]["rows"] == {"columns": ["rows"], "rows": [[10]]}


def test_objects_of_a_minute_that_is_not_sealed_yet_make_no_difference(ticks):
    put_object(ticks.lake, TABLE, Minute.parse("2026-11-22T10:02"), 0, 107, 150)
    assert count(ticks).tally == Tally(10, 10, 10)


def test_a_hole_between_sealed_minutes_is_not_counted(ticks):
    put_object(ticks.lake, TABLE, Minute.parse("2026-11-22T10:02"), 0, 107, 110)
    land(ticks.lake, TABLE, "2026-11-22T10:03", {0: (110, 115)})
    assert count(ticks).tally == Tally(15, 15, 15)


def test_a_minute_sealed_since_is_added_by_the_next_count(ticks):
    count(ticks)
    land(ticks.lake, TABLE, "2026-11-22T10:02", {0: (107, 120)})
    assert count(ticks).total == Tally(23, 23, 23)


def test_a_missing_object_fails_in_words_and_the_answer_is_kept(ticks):
    land(ticks.lake, TABLE, "2026-11-22T10:02", {1: (3, 9)})
    ticks.lake.delete(e.key for e in ticks.lake.list(f"raw/{TABLE}/dt=2026-11-22/hr=10/1002-"))
    with pytest.raises(
        LakeError, match=r"landed 16 · counted 10 · difference -6.*Kafka partition 1: landed 9, counted 3"
    ):
        count(ticks)
    assert json.loads(ticks.lake.get(counts_key(TABLE, HOUR, "rows")))["rows"] == [[10]]


def test_records_that_lie_twice_in_the_hour_fail_in_words(ticks):
    put_object(ticks.lake, TABLE, Minute.parse("2026-11-22T10:01"), 0, 104, 106)
    with pytest.raises(LakeError, match=r"counted 12 · difference 2 · only 10 distinct offsets"):
        count(ticks)


def test_leftovers_that_are_gone_a_moment_later_are_no_difference(ticks):
    leftover = put_object(ticks.lake, TABLE, Minute.parse("2026-11-22T10:01"), 0, 104, 106)
    assert count(ticks, sleep=lambda _: ticks.lake.delete([leftover.key])).tally == Tally(10, 10, 10)


def test_an_hour_in_which_nothing_was_landed_needs_no_catalog(catalogued):
    land(catalogued.lake, TABLE, "2026-11-22T10:00", {0: (5, 5)})
    assert count(catalogued).tally == Tally(0, 0, 0)


def test_hours_counted_again_and_in_any_order_add_up(ticks):
    for minute, offsets in (("2026-11-22T09:59", (90, 100)), ("2026-11-23T00:00", (200, 250))):
        land(ticks.lake, TABLE, minute, {0: offsets})
    ticks.crawl()
    for key in ("2026-11-23T00", "2026-11-22T10", "2026-11-22T09", "2026-11-22T10", "2026-11-23T00"):
        total = count(ticks, Hour.parse(key)).total
    assert total == Tally(70, 70, 70)


def test_hours_counted_side_by_side_add_up(ticks):
    hours = [HOUR.plus(n) for n in (-1, 0, 1, 2)]
    for n, hour in ((1, hours[0]), (2, hours[2]), (3, hours[3])):
        land(ticks.lake, TABLE, f"{hour}:30", {2: (1000 * n, 1000 * n + n)})
    ticks.crawl()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda hour: count(ticks, hour), hours))
    assert count(ticks).total == Tally(16, 16, 16)


def test_counting_an_hour_reads_no_object_of_another_hour(ticks):
    alone = sum(a.scanned_bytes for a in count(ticks).answers.values())
    for n in range(3):
        land(ticks.lake, TABLE, f"{HOUR.plus(1 + n)}:00", {2: (100 * n, 100 * n + 90)})
    ticks.crawl()
    assert sum(a.scanned_bytes for a in count(ticks).answers.values()) == alone


def test_an_older_difference_is_told_with_its_day(ticks, caplog):
    land(ticks.lake, TABLE, "2026-11-21T10:00", {0: (0, 5)})
    with pytest.raises(LakeError):
        count(ticks, HOUR.plus(-24))  # never crawled
    caplog.clear()
    assert str(count(ticks).total) == "landed 15 · counted 10 · difference -5"
    assert "the days 2026-11-21 do not add up" in caplog.text


def test_the_manifests_of_other_hours_are_not_read(ticks):
    land(ticks.lake, TABLE, "2026-11-22T11:00", {0: (200, 201)})
    ticks.lake.put(f"manifests/{TABLE}/dt=2026-11-22/0959.json", b"broken")
    before = datetime.now(UTC)
    landed = landed_in(ticks.lake, TABLE, HOUR)
    assert (landed.minutes, landed.records) == (2, 10)
    assert before <= landed.as_of <= datetime.now(UTC)


def test_the_proof_needs_its_two_queries(tmp_path):
    (tmp_path / "rows.sql").write_text("-- Rows\nSELECT 1")
    with pytest.raises(SettingsError, match=r"distinct_offsets\.sql is not there"):
        queries(tmp_path)
