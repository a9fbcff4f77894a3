"""Reconcile on real parts, with the rule taken out of landing by which no record from the future holds a minute's end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.stages.kafka_to_s3.test_land import delete_before
from tests.stages.reconcile.test_hours import FIRST, HOUR, LAST, NEXT, NOW, World, empty  # noqa: F401
from tests.support.untimely import take_any_date, without_the_rule
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.core.moment import moment
from ticklake.core.proof.reconcile import Kind
from ticklake.core.proof.reconciled import Reconciled, require_agreement
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.reconcile.hours import reconcile

DATE_2100 = 4_102_444_800_000


@pytest.fixture
def world(empty: World) -> World:  # noqa: F811
    take_any_date(empty.topic.bootstrap, empty.topic.name)
    return empty


def land_at(world: World, minute: Minute, late: timedelta = timedelta(0)) -> None:
    """Land it, and whatever is unsealed before it, when it is over."""
    now = minute.plus(1).start + late
    land(replace(world.landing, clock=lambda: now), minute, now)


def waiting(result: Reconciled) -> list[tuple[str, str]]:
    return [(f.subject, f.seen) for f in result.stays if f.kind is Kind.WAITING]


def send_and_land(world: World, strange: int) -> None:
    """Good records around a strange one in the hour's last but one minute, and on; each minute landed when it is over."""
    land_at(world, FIRST.plus(-1))
    for minute in (FIRST, LAST, NEXT):
        world.send(minute, b'{"n":1}')
        if minute == FIRST:
            world.topic.send(b'{"n":2}', at=strange)
            world.send(minute, b'{"n":3}')
        world.send(minute, b'{"n":4}', partition=1)
        land_at(world, minute)
    world.catalogued.crawl()


def test_a_minute_that_stopped_short_is_a_finding_that_fails_the_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_rule(monkeypatch)
    send_and_land(world, DATE_2100)
    result = world.reconcile()
    assert waiting(result) == [
        (
            f"{FIRST} to {LAST} Kafka partition 0",
            f"stopped short at offset 1 of 4: the first record left, offset 1, is dated {moment(DATE_2100)},"
            f" after the seal ({moment(FIRST.end_ms)})",
        )
    ]
    assert {f.kind for f in result.stays} == {Kind.WAITING}  # everything else agrees
    with pytest.raises(Exception, match="record waiting: 2026-11-22T10:58 to 2026-11-22T10:59 Kafka partition 0"):
        require_agreement([result])


def test_with_the_rule_the_same_hour_agrees_and_its_ends_are_proven(world: World) -> None:
    send_and_land(world, DATE_2100)
    result = world.reconcile()
    assert (result.stays, result.timely, result.unproven) == ((), 9, 0)
    assert "9 minutes' ends in time, 0 unproven" in str(result)


def test_what_waited_and_came_later_is_seen_in_the_rows_of_the_hour_without_asking_kafka(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour ahead: the record is landed at last, with all that waited behind it."""
    without_the_rule(monkeypatch)
    send_and_land(world, LAST.start_ms + 1)
    result = world.reconcile()
    assert waiting(result) == [
        (
            f"{FIRST} Kafka partition 0",
            f"stopped short at offset 1 of 3: the first record left, offset 1, is dated {moment(LAST.start_ms + 1)},"
            f" after the seal ({moment(FIRST.end_ms)})",
        )
    ]


def test_behind_the_hours_end_kafka_is_read_once_for_all_partitions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_and_land(world, DATE_2100)
    for n in range(3):
        world.send(NEXT.plus(1), b"{}", partition=n)
    land_at(world, NEXT.plus(1))
    # The hour landed late: each minute leaves records behind, all of them in the next hour.
    for minute in (NEXT.plus(2), NEXT.plus(64), NEXT.plus(65)):
        for n in range(3):
            world.send(minute, b"{}", partition=n)
    land_at(world, NEXT.plus(65))
    reads: list[Sequence[OffsetRange]] = []
    read = world.landing.reader.read

    def counted(slices: Sequence[OffsetRange], *more: Any) -> Any:
        reads.append(slices)
        return read(slices, *more)

    monkeypatch.setattr(world.landing.reader, "read", counted)
    [result] = reconcile(world.sides, (HOUR.plus(1),), NOW, repair=False)
    assert waiting(result) == []
    assert (result.timely, result.unproven) == (180, 0)
    assert len(reads) == 3  # the first and the last offsets of the hour, and what lies behind it


@pytest.mark.parametrize("rows", [True, False])
def test_where_kafka_no_longer_has_the_record_behind_the_hour_the_next_hours_rows_decide(
    world: World, monkeypatch: pytest.MonkeyPatch, rows: bool
) -> None:
    without_the_rule(monkeypatch)
    send_and_land(world, NEXT.plus(61).start_ms)
    if rows:
        land_at(world, NEXT.plus(61))
        delete_before(world.topic, 5)
    else:
        delete_before(world.topic, 5)
    result = world.reconcile()
    found = [subject for subject, _ in waiting(result)]
    assert found == ([f"{FIRST} to {LAST} Kafka partition 0"] if rows else [])
    assert result.unproven == (0 if rows else 2)


def test_an_hour_sealed_by_an_earlier_version_is_unproven_and_no_difference(world: World) -> None:
    send_and_land(world, FIRST.start_ms)
    for minute in (FIRST.plus(-1), FIRST, LAST):
        manifest = world.manifest(minute)
        world.put_manifest(replace(manifest, slices=tuple(replace(s, log_end=None) for s in manifest.slices)))
    result = world.reconcile()
    assert (result.stays, result.timely, result.unproven) == ((), 0, 9)
