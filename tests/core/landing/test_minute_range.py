from datetime import UTC, datetime

import pytest

from ticklake.core.errors import SettingsError
from ticklake.core.landing.minute_range import MinuteRange
from ticklake.core.minute import Hour, Minute


def test_an_hour_stands_for_all_its_minutes() -> None:
    found = MinuteRange.parse("2026-11-22T10", "2026-11-22T11")
    assert (str(found.first), str(found.last)) == ("2026-11-22T10:00", "2026-11-22T11:59")


def test_both_ends_are_included_and_each_hour_has_its_part() -> None:
    found = MinuteRange.parse("2026-11-22T23:58", "2026-11-23T00")
    assert [str(h) for h in found.hours] == ["2026-11-22T23", "2026-11-23T00"]
    assert [str(m) for m in found.in_hour(found.hours[0])] == ["2026-11-22T23:58", "2026-11-22T23:59"]
    assert found.in_hour(found.hours[1]) == Hour.parse("2026-11-23T00").minutes()


def test_a_single_minute_is_a_range() -> None:
    found = MinuteRange.parse("2026-11-22T10:05", "2026-11-22T10:05")
    assert found.in_hour(Hour.parse("2026-11-22T10")) == (Minute.parse("2026-11-22T10:05"),)


@pytest.mark.parametrize("ends", [("2026-11-22T10:05", "2026-11-22T10:04"), ("2026-11-22", "2026-11-22T10")])
def test_a_range_that_is_none_is_refused(ends: tuple[str, str]) -> None:
    with pytest.raises(SettingsError):
        MinuteRange.parse(*ends)


def test_a_range_that_is_not_over_is_refused_with_the_newest_minute_that_is() -> None:
    now = datetime(2026, 11, 22, 10, 5, 30, tzinfo=UTC)
    MinuteRange.parse("2026-11-22T10:00", "2026-11-22T10:04").require_over(now)
    with pytest.raises(SettingsError, match=r"to = 2026-11-22T10:05 is not over. 2026-11-22T10:04 is the newest"):
        MinuteRange.parse("2026-11-22T10:00", "2026-11-22T10:05").require_over(now)
