from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Hour
from ticklake.core.proof.row_counts import Answer, Day, Tally, Totals, differing_partitions, joined, statement, title

HOUR = Hour.parse("2026-11-22T10")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
slices = st.builds(
    lambda p, start, length: OffsetRange(p, start, start + length),
    st.integers(0, 2),
    st.integers(0, 30),
    st.integers(0, 9),
)


def test_the_line_compares_landed_and_counted():
    assert str(Tally(1234, 1234, 1234)) == "landed 1,234 · counted 1,234 · difference 0"
    assert str(Tally(1234, 1230, 1230)) == "landed 1,234 · counted 1,230 · difference -4"


def test_the_line_tells_of_records_that_are_there_twice():
    assert str(Tally(4, 4, 3)) == "landed 4 · counted 4 · difference 0 · only 3 distinct offsets"


@pytest.mark.parametrize(
    ("tally", "proven"), [((3, 3, 3), True), ((0, 0, 0), True), ((3, 2, 2), False), ((3, 3, 2), False)]
)
def test_a_tally_is_proven_when_all_three_are_equal(tally, proven):
    assert Tally(*tally).proven is proven


def test_the_sum_of_a_column_of_no_rows_is_zero():
    assert Answer(("rows",), ()).total("rows") == 0


def test_a_missing_column_is_an_error_and_not_zero():
    with pytest.raises(LakeError, match="'rows'"):
        Answer(("n",), ()).total("rows")


def test_texts_cannot_be_summed():
    with pytest.raises(LakeError, match="'rows'"):
        Answer(("rows",), (("5",),)).total("rows")


def test_counting_an_hour_again_replaces_its_tally():
    day = Day({}).with_hour(HOUR, Tally(5, 5, 5), NOON).with_hour(HOUR.plus(1), Tally(1, 1, 1), NOON)
    again = day.with_hour(HOUR, Tally(7, 7, 7), NOON + timedelta(seconds=1))
    assert again.total == Tally(8, 8, 8)


def test_a_slow_run_does_not_undo_a_newer_one():
    day = Day({}).with_hour(HOUR, Tally(7, 7, 7), NOON)
    late = day.with_hour(HOUR, Tally(5, 5, 5), NOON - timedelta(seconds=1))
    assert late == day
    assert not late.holds(HOUR, NOON - timedelta(seconds=1))


@given(st.permutations(range(6)))
def test_the_total_does_not_depend_on_the_order_of_hours(order):
    totals, days = Totals({}), {}
    for n in order:
        hour = HOUR.plus(9 * n)
        days[hour.dt] = days.get(hour.dt, Day({})).with_hour(hour, Tally(n, n, n), NOON)
        totals = totals.with_day(hour.dt, days[hour.dt].total)
    assert totals.total == Tally(15, 15, 15)
    assert list(totals.days) == sorted(totals.days)


def test_the_kept_files_are_read_as_they_were_written():
    day = Day({}).with_hour(HOUR, Tally(5, 4, 3), NOON)
    totals = Totals({}).with_day(HOUR.dt, day.total)
    assert Day.from_json(day.to_json(), "hours.json") == day
    assert Totals.from_json(totals.to_json(NOON), "totals.json") == totals
    assert totals.unproven == ("2026-11-22",)


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"'])
@pytest.mark.parametrize(
    ("key", "again"),
    [("counts/ticks/totals.json", "count again"), ("reconciled/ticks/totals.json", "reconcile again")],
)
def test_a_foreign_file_in_the_place_of_the_totals_is_named(body, key, again):
    """Both stages keep such files: under each other's prefix nobody would find it."""
    for kind in (Totals, Day):
        with pytest.raises(LakeError, match=rf"^{key} is not what Ticklake writes: .* Remove it and {again}"):
            kind.from_json(body, key)


def test_only_the_table_and_question_marks_are_put_into_the_sql():
    assert statement("SELECT 1 FROM {table} WHERE {sealed}", "ticks", 2) == (
        'SELECT 1 FROM "ticks" WHERE (kafka_partition = ? AND kafka_offset >= ? AND kafka_offset < ?'
        "\n  OR kafka_partition = ? AND kafka_offset >= ? AND kafka_offset < ?)"
    )


@pytest.mark.parametrize("table", ["Ticks", "a.b", 'a"; DROP', "", "1a", "a-b"])
def test_a_table_that_glue_would_name_otherwise_is_refused(table):
    with pytest.raises(SettingsError, match="as SQL wants a table's name"):
        statement("SELECT 1 FROM {table}", table)


def test_a_query_must_begin_by_saying_what_it_answers():
    assert title("-- Rows of the hour\nSELECT 1") == "Rows of the hour"
    with pytest.raises(SettingsError, match="comment"):
        title("SELECT 1")


def test_a_difference_is_told_by_kafka_partition():
    answer = Answer(("kafka_partition", "rows"), ((0, 5), (1, 2)))
    assert differing_partitions({0: 5, 1: 3, 2: 1000}, answer) == [
        "Kafka partition 1: landed 3, counted 2",
        "Kafka partition 2: landed 1,000, counted 0",
    ]


@given(st.lists(slices))
def test_joined_slices_hold_the_same_offsets_apart_from_each_other(some):
    def offsets(of):
        return [(s.partition, o) for s in of for o in range(s.start, s.end)]

    found = joined(some)
    assert offsets(found) == sorted(set(offsets(some)))
    assert all(a.partition < b.partition or a.end < b.start for a, b in pairwise(found))
