from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import LakeError
from ticklake.core.formats.dead_letters import Marker, ReasonCounts, Rejected, rejected_line, tally_rows

payloads = st.none() | st.binary()
headers = st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), payloads)).map(tuple)
offsets = st.sets(st.integers(0, 2**63 - 1), max_size=5).map(frozenset)
markers = st.builds(Marker, st.integers(0, 2**63 - 1), offsets, offsets)


@dataclass(frozen=True)
class Given:
    """A record as Kafka gives it."""

    content: bytes | None
    name: bytes | None
    more: tuple[tuple[str, bytes | None], ...]

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes | None:
        return self.name

    def headers(self) -> Any:
        return list(self.more) or None

    def offset(self) -> int:
        return 17

    def timestamp(self) -> tuple[int, int]:
        return (1, 5)


@given(payloads, payloads, headers, st.text(st.characters(exclude_categories=["Cs"])))
def test_a_rejected_record_comes_back_from_its_line_as_it_was(
    value: bytes | None, key: bytes | None, more: tuple[tuple[str, bytes | None], ...], reason: str
) -> None:
    line = rejected_line(Given(value, key, more), 3, 5, reason)
    assert Rejected.from_line(line) == Rejected(3, 17, 5, reason, key, value, more)
    assert Rejected.from_line(line).place == b"3/17"


@given(st.binary() | st.sampled_from([b"{}", b"[]", b'{"headers":1}', b'{"headers":null}']))
def test_any_other_line_is_refused_in_words(line: bytes) -> None:
    with pytest.raises(LakeError, match="not a rejected record"):
        Rejected.from_line(line)


def test_todays_verdict_is_that_of_landing() -> None:
    def rejected(value: bytes | None) -> Rejected:
        return Rejected(0, 0, 0, "whatever it was", None, value, ())

    assert rejected(b'{"a":1}').verdict() is None
    assert rejected(None).verdict() == "tombstone"


@given(markers)
def test_a_marker_survives_its_json(marker: Marker) -> None:
    assert Marker.from_json(marker.to_json()) == marker


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"version":2}', b'{"version":1,"since":0,"pending":["x"],"redriven":[]}']
)
def test_what_is_no_marker_is_refused_since_guessing_would_send_twice(body: bytes) -> None:
    with pytest.raises(LakeError, match=r"does not say what was redriven|version 2"):
        Marker.from_json(body)


@given(markers, offsets, st.integers(0, 2**63 - 1))
def test_what_was_redriven_is_never_pending_again(marker: Marker, some: frozenset[int], since: int) -> None:
    begun = marker.begin(some, since)
    assert begun.pending - marker.pending == some - marker.redriven - marker.pending
    assert begun.settle(some).redriven >= some | marker.redriven
    assert not begun.settle(some).pending & some


def test_a_marker_with_something_pending_is_searched_from_its_first_beginning() -> None:
    assert Marker().begin([1], 100).begin([2], 200).since == 100
    assert Marker().begin([1], 100).settle([1]).begin([2], 200).since == 200


def test_the_most_frequent_reason_stands_first() -> None:
    assert [row[0] for row in tally_rows({"a": ReasonCounts(1), "c": ReasonCounts(5), "b": ReasonCounts(5)})] == [
        "b",
        "c",
        "a",
    ]
