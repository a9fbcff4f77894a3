"""Keys of a bucket in order, so that a listing costs what it lists; ministack's looks at every key, for each page.

After a month there are 300,000 of them: each minute's landing lists its own few.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from typing import Any

from local.aws import host

_LAST = "\U0010ffff"


class Keyed(dict[str, Any]):
    """A bucket's objects by key, and their keys in order."""

    def __init__(self, objects: Mapping[str, Any]) -> None:
        super().__init__(objects)
        self._keys = sorted(objects)

    def __setitem__(self, key: str, record: Any) -> None:
        if key not in self:
            insort(self._keys, key)
        super().__setitem__(key, record)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        del self._keys[bisect_left(self._keys, key)]

    def pop(self, key: str, *default: Any) -> Any:
        """As of a dict."""
        if key in self:
            del self._keys[bisect_left(self._keys, key)]
        return super().pop(key, *default)

    def under(self, prefix: str, after: str = "", most: int | None = None) -> list[str]:
        """The first ``most`` keys that begin so and come after another, in order."""
        start = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after) if after else 0)
        end = bisect_left(self._keys, prefix + _LAST)
        return self._keys[start : end if most is None else min(end, start + most)]


def install() -> None:
    """List by the index. A bucket gets it with its first request, whoever made it: S3's API, CloudFormation, an earlier run."""
    find = host.s3._ensure_bucket

    def find_and_index(name: str) -> Any:
        record = find(name)
        if record is not None and not isinstance(record["objects"], Keyed):
            record["objects"] = Keyed(record["objects"])
        return record

    host.replace(host.s3, "_ensure_bucket", find_and_index)
    host.replace(host.s3, "_collect_list_entries", collect)


def collect(
    objects: Mapping[str, Any], prefix: str, delimiter: str, most: int, after: str
) -> tuple[list[str], list[str], bool, str]:
    """One page: keys, common prefixes, whether there is more, and the last of them all; ministack's function, by the index."""
    keyed = objects if isinstance(objects, Keyed) else Keyed(objects)
    if not delimiter:
        found = keyed.under(prefix, after, most + 1)
        return found[:most], [], len(found) > most, found[:most][-1] if found[:most] else ""
    contents: list[str] = []
    groups: list[str] = []
    is_group = after.endswith(delimiter) and after != prefix
    marker, place = "", after + _LAST if is_group else after
    while found := keyed.under(prefix, place, 1):
        if len(contents) + len(groups) == most:
            return contents, groups, True, marker
        group, there, _ = found[0][len(prefix) :].partition(delimiter)
        if there:
            marker = prefix + group + delimiter
            groups.append(marker)
            place = marker + _LAST  # behind all of the group, however many they are
        else:
            marker = place = found[0]
            contents.append(marker)
    return contents, groups, False, marker
