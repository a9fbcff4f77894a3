import base64
import gzip
import hashlib
import json
import tracemalloc
import zlib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.landing.object_reader import read_content


def chunked(body: bytes, size: int) -> Iterator[bytes]:
    return (body[i : i + size] for i in range(0, len(body), size))


def line(offset: int, fill: str = "") -> bytes:
    return json.dumps({"fill": fill, "kafka_offset": offset, "kafka_timestamp": 1000 + offset}).encode() + b"\n"


@given(st.lists(st.text(max_size=200), max_size=40), st.integers(1, 300), st.integers(0, 40))
def test_lines_and_both_ends_are_those_of_the_object_however_it_arrives(fills: list[str], size: int, cut: int) -> None:
    lines = [line(n, fill) for n, fill in enumerate(fills)]
    body = gzip.compress(b"".join(lines[:cut])) + gzip.compress(b"".join(lines[cut:]))  # members follow each other
    content = read_content(chunked(body, size))
    assert content.lines == len(lines)
    ends = ((0, 1000), (len(lines) - 1, 999 + len(lines))) if lines else (None, None)
    assert (content.first, content.last) == ends
    assert content.bytes == len(body)
    assert content.checksum == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert content.crc32 == zlib.crc32(b"".join(lines))


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_read_to_their_end(body: bytes, size: int) -> None:
    content = read_content(chunked(body, size))
    assert content.checksum == base64.b64encode(hashlib.sha256(body).digest()).decode()


def test_what_is_cut_short_or_no_gzip_has_no_lines() -> None:
    body = gzip.compress(line(0) * 1000)
    for damaged in (body[:-1], body[:50], b"x" * 50, b"", body + b"x"):
        content = read_content([damaged])
        assert (content.lines, content.crc32) == (None, None)


def test_an_object_that_unpacks_to_much_more_than_it_is_needs_little_memory() -> None:
    body = gzip.compress(line(0, "x" * 1000) * 60_000)  # 63 MB of text
    tracemalloc.start()
    content = read_content(chunked(body, 256 * 1024))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert content.lines == 60_000
    assert peak < 8_000_000
