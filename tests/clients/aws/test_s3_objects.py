import hashlib

from tests.support.catalogued import Catalogued


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


def test_versions_are_those_of_the_key_alone_newest_first_and_deletions_are_none(catalogued: Catalogued):
    lake = catalogued.lake
    lake._client.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second"):
        lake.put("raw/x", body)
    lake.put("raw/x.more", b"another key's")
    lake.delete(["raw/x"])
    found = list(lake.versions("raw/x"))
    assert [v.size for v in found] == [6, 5]
    assert [b"".join(lake.stream("raw/x", v.id) or ()) for v in found] == [b"second", b"first"]
    assert lake.stream("raw/x") is None
    assert list(lake.versions("raw/none")) == []


def test_of_a_bucket_without_versions_the_object_itself_is_the_only_one(catalogued: Catalogued):
    catalogued.lake.put("raw/x", b"body")
    [version] = catalogued.lake.versions("raw/x")
    assert b"".join(catalogued.lake.stream("raw/x", version.id) or ()) == b"body"
