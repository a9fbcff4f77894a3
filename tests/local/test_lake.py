"""What `status` says of the bucket is right, and its cost does not grow with the days behind it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.home import Home
from local.lake import SealedTotal, sealed
from local.stack import Stack
from ticklake.clients.aws.s3 import Lake, Listed
from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_key import manifest_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute

DAY = Minute.parse("2026-11-22T00:00")


class Remembering(Lake):
    """A bucket in memory that notes what it is asked for."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.listed: list[str] = []
        self.read: list[str] = []

    def seal(self, minute: Minute, records: int = 2, rejected: int = 1, lost: int = 0) -> None:
        objects = (StoredObject(f"raw/{minute}", 0, 0, records, records, 100, ""),)
        bad = (StoredObject(f"rejected/{minute}", 0, 0, rejected, rejected, 100, ""),)
        manifest = Manifest(
            "ticks", "ticks", "c", None, minute, "2026-11-22T00:00:00+00:00", "run", (), objects, bad,
            (OffsetRange(0, 0, lost),), None, None, 0, 0, {},
        )  # fmt: skip
        self.objects[manifest_key("ticks", minute)] = manifest.to_json()

    def folders(self, prefix: str) -> Iterator[str]:
        yield from sorted(
            {key[: len(prefix) + len("dt=2026-11-22/")] for key in self.objects if key.startswith(prefix)}
        )

    def list(self, prefix: str, start_after: str = ""):
        self.listed.append(prefix)
        return [Listed(key, 1, datetime.now(UTC)) for key in sorted(self.objects) if key.startswith(prefix)]

    def get(self, key: str) -> bytes | None:
        self.read.append(key)
        return self.objects.get(key)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Home(tmp_path, tmp_path, 24000))


def test_a_whole_day_is_read_once_and_then_neither_listed_nor_read(stack: Stack) -> None:
    lake = Remembering()
    for n in range(1440 + 5):
        lake.seal(DAY.plus(n), lost=3)
    expected = SealedTotal("2026-11-23T00:04", 1445, 2 * 1445, 1445, 3 * 1445)
    assert sealed(lake, stack, "ticks") == expected
    assert len(lake.read) == 1445
    lake.read, lake.listed = [], []
    assert sealed(lake, stack, "ticks") == expected
    assert (lake.read, lake.listed) == ([], ["manifests/ticks/dt=2026-11-23/"])


def test_a_hole_of_an_older_day_that_is_filled_later_counts(stack: Stack) -> None:
    lake = Remembering()
    lake.seal(DAY)
    lake.seal(DAY.plus(1440))
    assert sealed(lake, stack, "ticks").minutes == 2
    lake.seal(DAY.plus(7))
    assert sealed(lake, stack, "ticks") == SealedTotal("2026-11-23T00:00", 3, 6, 3, 0)


def test_the_newest_minute_is_told_also_when_its_day_is_whole(stack: Stack) -> None:
    lake = Remembering()
    for n in range(1440):
        lake.seal(DAY.plus(n))
    for _ in range(2):
        assert sealed(lake, stack, "ticks").newest == "2026-11-22T23:59"


def test_a_bucket_that_was_emptied_has_nothing(stack: Stack) -> None:
    lake = Remembering()
    lake.seal(DAY)
    sealed(lake, stack, "ticks")
    lake.objects.clear()
    assert sealed(lake, stack, "ticks") == SealedTotal()
