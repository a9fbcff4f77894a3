from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import SettingsError
from ticklake.core.minute import Hour, Minute

moments = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(moments)
def test_a_minute_survives_its_key(moment: datetime) -> None:
    minute = Minute.containing(moment)
    assert Minute.parse(minute.key) == minute
    assert minute.start <= moment < minute.plus(1).start


@given(moments)
def test_an_hour_has_sixty_minutes_that_name_it(moment: datetime) -> None:
    hour = Hour.containing(moment)
    assert {m.hour for m in hour.minutes()} == {hour}
    assert len(set(hour.minutes())) == 60


@pytest.mark.parametrize("key", ["2026-1-2T3:4", "2026-11-22T10:05:00", "2026-11-22 10:05", "", "2026-02-30T10:05"])
def test_a_key_of_another_form_is_refused_so_that_a_minute_has_one_key(key: str) -> None:
    with pytest.raises(SettingsError, match="is not a minute such as 2026-11-22T10:05"):
        Minute.parse(key)


def test_the_window_across_a_year_end() -> None:
    minute = Minute.parse("2026-12-31T23:59")
    assert minute.end_ms - minute.start_ms == 60_000
    assert minute.plus(1).key == "2027-01-01T00:00"
    assert minute.plus(1).hour.dt == "2027-01-01"
