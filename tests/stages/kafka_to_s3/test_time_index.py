from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from ticklake.stages.kafka_to_s3.time_index import TimeIndex

MINUTE, DAY = 60_000, 24 * 3_600_000


@given(st.lists(st.integers(0, 40 * DAY), max_size=30).map(sorted), st.integers(1, 40 * 24 * 60))
def test_the_answers_are_kafkas_own(dates: list[int], minutes: int) -> None:
    def ask(time: int) -> dict[int, int]:
        found = bisect_left(dates, time)
        return {0: found} if found < len(dates) else {}

    index = TimeIndex(ask, minutes * MINUTE)
    step = minutes // 200 + 1
    for minute in range(0, minutes + 1, step):
        assert index.first_at(minute * MINUTE) == ask(minute * MINUTE)


def test_a_month_in_which_nothing_came_costs_few_questions() -> None:
    asked: list[int] = []

    def ask(time: int) -> dict[int, int]:
        asked.append(time)
        return {0: 7}

    index = TimeIndex(ask, 30 * DAY)
    for minute in range(30 * 24 * 60):
        assert index.first_at(minute * MINUTE) == {0: 7}
    assert len(asked) < 40


def test_a_single_minute_costs_one_question() -> None:
    asked: list[int] = []
    TimeIndex(lambda time: asked.append(time) or {}, MINUTE).first_at(MINUTE)
    assert asked == [MINUTE]
