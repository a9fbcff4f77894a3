import hashlib

from tests.catalogued import Catalogued


def test_an_object_is_streamed_in_chunks(catalogued: Catalogued):
    body = hashlib.shake_128(b"").digest(600_000)
    catalogued.lake.put("raw/x", body)
    chunks = list(catalogued.lake.stream("raw/x") or ())
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= 256 * 1024
    assert catalogued.lake.stream("raw/none") is None


def test_a_moved_object_lies_at_its_new_key_alone(catalogued: Catalogued):
    catalogued.lake.put("raw/a b+c", b"body")
    assert catalogued.lake.move("raw/a b+c", "quarantine/raw/a b+c")
    assert [e.key for e in catalogued.lake.list("")] == ["quarantine/raw/a b+c"]
    assert catalogued.lake.get("quarantine/raw/a b+c") == b"body"


def test_an_object_that_is_gone_meanwhile_is_not_moved(catalogued: Catalogued):
    assert not catalogued.lake.move("raw/none", "quarantine/raw/none")
    assert list(catalogued.lake.list("")) == []
