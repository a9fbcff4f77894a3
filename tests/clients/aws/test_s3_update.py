from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.catalogued import Catalogued
from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import LakeError


def test_an_update_begins_with_nothing_and_returns_what_lies_there(catalogued: Catalogued):
    assert catalogued.lake.update("counts/n", lambda before: b"new" if before is None else b"?") == b"new"
    assert catalogued.lake.get("counts/n") == b"new"


def test_a_change_by_another_writer_is_not_lost(catalogued: Catalogued):
    lake, seen = catalogued.lake, []

    def add(before: bytes | None) -> bytes:
        seen.append(before)
        if len(seen) == 1:
            lake.put("counts/n", b"theirs ")
        return (before or b"") + b"ours"

    assert lake.update("counts/n", add) == b"theirs ours"
    assert seen == [None, b"theirs "]


def test_many_writers_at_once_lose_nothing(catalogued: Catalogued):
    def add(n: int) -> None:
        catalogued.lake.update("counts/n", lambda before: (before or b"") + bytes([n]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert sorted(catalogued.lake.get("counts/n") or b"") == list(range(4))


def test_an_update_of_a_missing_bucket_is_an_error(catalogued: Catalogued):
    with pytest.raises(LakeError, match="TICKLAKE_BUCKET"):
        Lake(catalogued.lake._client, "no-such-bucket").update("n", lambda _: b"")
