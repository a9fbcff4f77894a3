"""Timeliness: no minute stopped short. Offsets, objects and counts also agree in a pipeline that has stopped.

A manifest says how far the log went when its minute was sealed. The first record that lay there behind a slice's end was left
to the next minutes, so it is dated from this minute's end to the seal. A date after the seal means that a record from the
future held the minute's end; a date before the minute's end, that a record waited without a reason.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ticklake.core.minute import Minute
from ticklake.core.moment import moment
from ticklake.verify.log import TopicLog
from ticklake.verify.rows import Row, dated
from ticklake.verify.sealed import SealedMinute
from ticklake.verify.verdict import Verdict


@dataclass(frozen=True)
class LeftRecord:
    """Offsets [end, log_end) that a minute left in a Kafka partition, and when (ms) it was sealed."""

    minute: Minute
    end: int
    log_end: int
    sealed_ms: int

    def fits(self, ms: int) -> bool:
        """Whether a record with this date (ms) was rightly left."""
        return self.minute.end_ms <= ms <= self.sealed_ms


@dataclass
class WaitingRecord:
    """What the minutes left in one Kafka partition, oldest first, until the first record behind each is seen.

    ``due`` is the first offset that matters: cheap to compare with each record that is read anyway.
    """

    due: float = math.inf
    left: deque[LeftRecord] = field(default_factory=deque)

    def add(self, left: LeftRecord) -> None:
        """The next minute's."""
        self.left.append(left)
        self.due = self.left[0].end

    def before(self, offset: int) -> list[LeftRecord]:
        """Take out those whose first record is the one at this offset."""
        found = []
        while self.left and self.left[0].end <= offset:
            found.append(self.left.popleft())
        self.due = self.left[0].end if self.left else math.inf
        return found


class EndsCheck:
    """Judges the ends of minutes while records and lines are walked through in order of offset."""

    def __init__(self, log: TopicLog, verdict: Verdict) -> None:
        self._log = log
        self._verdict = verdict
        self._waiting: dict[int, WaitingRecord] = {}
        self._silent = 0

    def of(self, partition: int) -> WaitingRecord:
        """What waits in a Kafka partition."""
        return self._waiting.setdefault(partition, WaitingRecord())

    def expect(self, sealed: SealedMinute) -> None:
        """Take up a minute, oldest first."""
        said = 0
        for partition, (_, end) in sealed.slices.items():
            log_end = sealed.log_ends.get(partition)
            if log_end is None:
                self._verdict.unproven += 1
                continue
            said += 1
            if log_end < end:
                self._verdict.manifests.note(
                    f"{sealed.minute} takes Kafka partition {partition} to {end:,}, and saw the log end at {log_end:,}"
                )
            elif log_end == end:
                self._verdict.timely += 1  # nothing was left
            else:
                self.of(partition).add(LeftRecord(sealed.minute, end, log_end, sealed.sealed_ms))
        self._silent += said < len(sealed.slices)

    def see(self, partition: int, offset: int, record: Any, row: Row | None, gone_until: int) -> None:
        """Judge the minutes whose first record behind their end is this one.

        Args:
            partition: the Kafka partition.
            offset: the record's.
            record: Kafka's record at this offset, or a later one when Kafka holds none there.
            row: its line in S3, if there is one.
            gone_until: first offset that Kafka still holds of the topic.
        """
        held = record is not None and record.offset() == offset
        ms: int | None = record.timestamp()[1] if held else dated(row) if row else None
        some = [
            (left, *self._judge(partition, left, offset, ms, gone_until)) for left in self.of(partition).before(offset)
        ]
        for (timely, why), same in groupby(some, key=lambda found: found[1:]):
            minutes = [left for left, *_ in same]
            if timely is None:
                self._verdict.unproven += len(minutes)
            elif timely:
                self._verdict.timely += len(minutes)
            else:
                self._verdict.waiting.note(_words(partition, minutes, offset, ms or 0, why))

    def finish(self, partition: int, compared: int, gone_until: int, foreign: bool) -> None:
        """Judge what is left once everything up to offset ``compared`` was seen: by what Kafka holds behind it.

        ``foreign``: what Kafka holds there is another topic's.
        """
        waiting = self.of(partition)
        log_end = max((left.log_end for left in waiting.left), default=0)
        if log_end and not foreign:
            record = self._log.first(partition, max(compared, gone_until), log_end)
            if record is not None:
                self.see(partition, record.offset(), record, None, gone_until)
        rest = len(waiting.before(log_end))
        if foreign or gone_until > compared:
            self._verdict.unproven += rest
        else:
            self._verdict.timely += rest  # no record lies there

    def notes(self) -> list[str]:
        """What could not be proven, and why."""
        if not self._silent:
            return []
        return [
            f"{self._silent:,} minutes do not say how far the log went when they were sealed (an earlier version):"
            " that they did not stop short is unproven."
        ]

    def _judge(
        self, partition: int, left: LeftRecord, offset: int, ms: int | None, gone_until: int
    ) -> tuple[bool | None, str]:
        """Whether the minute ended in time, and why not; None: it cannot be said any more."""
        if offset >= left.log_end or (ms is not None and left.fits(ms)):
            return True, ""
        if ms is None or (offset > left.end and (left.end < gone_until or self._log.compacted)):
            return None, ""  # a record may have stood at the end that ended the minute rightly
        if offset > left.end and self._ended_by_no_record(partition, left, offset):
            return True, ""
        return False, _AFTER if ms > left.sealed_ms else _BEFORE

    def _ended_by_no_record(self, partition: int, left: LeftRecord, offset: int) -> bool:
        """What stands at the end is a transaction's marker, or aborted. It has a date all the same, and may end a minute."""
        named = self._log.first_dated(partition, left.minute.end_ms)
        ahead = self._log.first_dated(partition, left.sealed_ms + 1)
        return named is not None and left.end <= named < offset and named != ahead


_AFTER, _BEFORE = "after it was sealed", "before its end"


def _words(partition: int, minutes: list[LeftRecord], offset: int, ms: int, why: str) -> str:
    first, last = minutes[0], minutes[-1]
    subject = f"{first.minute} stops" if first is last else f"{first.minute} to {last.minute} stop"
    bound = first.sealed_ms if why == _AFTER else first.minute.end_ms
    return (
        f"{subject} short in Kafka partition {partition}, at offset {first.end:,} of {last.log_end:,}:"
        f" the first record left, offset {offset:,}, is dated {moment(ms)}, {why} ({moment(bound)})"
    )
