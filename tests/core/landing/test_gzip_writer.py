import base64
import gzip
import hashlib
import os
import platform
import re
import resource
import zlib
from dataclasses import dataclass
from importlib.metadata import version
from tempfile import gettempdir

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import DiskError
from ticklake.core.landing.gzip_writer import IGZIP, Encoder, Packed, Packer

lines = st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"") + b"\n"), max_size=50)


@dataclass(frozen=True)
class Object:
    """What was packed, with its bytes."""

    start: int
    end: int
    records: int
    checksum: str
    body: bytes


def read(packed: Packed) -> Object:
    with packed.body:
        body = packed.body.read()
    assert len(body) == packed.size
    return Object(packed.start, packed.end, packed.records, packed.checksum, body)


def pack(all_lines: list[bytes], size: int, at_once: int = 1) -> list[Object]:
    packer = Packer(100, size)
    full: list[Packed] = []
    for n in range(0, len(all_lines), at_once):
        some = all_lines[n : n + at_once]
        full += packer.add(b"".join(some), range(100 + n, 100 + n + len(some)))
    return [read(p) for p in (*full, *packer.finish(100 + len(all_lines)))]


@given(lines, st.integers(1, 400), st.integers(1, 20))
def test_objects_hold_every_line_once_and_their_offsets_touch(all_lines: list[bytes], size: int, at_once: int) -> None:
    packed = pack(all_lines, size, at_once)
    assert b"".join(gzip.decompress(p.body) for p in packed) == b"".join(all_lines)
    assert sum(p.records for p in packed) == len(all_lines)
    if packed:
        assert [p.start for p in packed] == [100, *(p.end for p in packed[:-1])]


@given(lines, st.integers(1, 400), st.integers(1, 20), st.integers(1, 20))
def test_the_same_lines_make_the_same_bytes_whatever_batches_they_come_in(
    all_lines: list[bytes], size: int, one: int, other: int
) -> None:
    assert pack(all_lines, size, one) == pack(all_lines, size, other)


def large_lines() -> list[bytes]:
    """6 MB of lines, more than a compressor's block, and hardly compressible."""
    return [hashlib.sha512(b"%d" % n).hexdigest().encode() * 4 + b"\n" for n in range(12_000)]


def test_the_same_lines_make_the_same_bytes_beyond_one_block_of_the_compressor() -> None:
    all_lines = large_lines()
    packed = pack(all_lines, 2 << 20)
    assert len(packed) == 3
    for at_once in (7, 500, 12_000):
        assert pack(all_lines, 2 << 20, at_once) == packed
    assert b"".join(gzip.decompress(p.body) for p in packed) == b"".join(all_lines)


ZLIB = Encoder("zlib", lambda: zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS))


def test_the_rows_checksum_is_the_same_whatever_packed_them_and_the_bytes_are_not() -> None:
    """So a repair by another encoder can be proven to hold the rows that were sealed."""
    rows = large_lines()[:500]
    packed = []
    for encoder in (IGZIP, ZLIB):
        packer = Packer(0, 1 << 30, encoder)
        [one] = (*packer.add(b"".join(rows), range(500)), *packer.finish(500))
        with one.body:
            assert gzip.decompress(one.body.read()) == b"".join(rows)
        packed.append(one)
    assert {p.crc32 for p in packed} == {zlib.crc32(b"".join(rows))}
    assert [p.encoder for p in packed] == [IGZIP.name, "zlib"]
    assert packed[0].checksum != packed[1].checksum


def test_an_encoders_name_says_all_that_decides_its_bytes() -> None:
    machine = {"AMD64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    assert IGZIP.name == f"isal {version('isal')} level 1 {machine}"


def test_the_checksum_is_that_of_the_bytes_whether_or_not_they_went_to_a_file() -> None:
    for packed in (*pack([b"{}\n"], 1000), *pack(large_lines(), 1 << 30)):
        assert packed.checksum == base64.b64encode(hashlib.sha256(packed.body).digest()).decode()


def test_the_bytes_are_those_of_every_release_so_that_a_replay_writes_what_was_there() -> None:
    # Made by isal 1.9.1 on x86-64 with SSE 4.2 or newer, or (second) on arm64: docs/decisions. A new version of isal that
    # packs otherwise is a change of the table's bytes: then objects that are landed again differ from their manifest.
    body = pack(large_lines()[:4000], 1 << 30)[0].body
    digest = hashlib.sha256(body).hexdigest()[:16]
    assert digest in {"ecf83fdd419f976d", "39363bbb97137bb1"}  # pragma: allowlist secret


def test_the_last_object_reaches_to_the_slices_end_although_its_last_offsets_hold_no_record() -> None:
    packer = Packer(5, 1000)
    assert packer.add(b"{}\n", [5]) == []
    assert [(p.start, p.end, p.records) for p in map(read, packer.finish(12))] == [(5, 12, 1)]


def test_no_line_no_object() -> None:
    assert list(Packer(5, 1000).finish(12)) == []


def test_the_gzip_header_has_no_time_no_name_and_no_system() -> None:
    [packed] = pack([b"{}\n"], 1000)
    assert packed.body[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def test_a_full_disk_ends_the_packing_in_words() -> None:
    packer = Packer(0, 1 << 30)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))  # no file can grow
    try:
        with pytest.raises(
            DiskError,
            match=rf"^A packed object does not fit into {re.escape(gettempdir())}: File too large\. Make room on the",
        ):
            packer.add(os.urandom(4 << 20).hex().encode() + b"\n", [0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    packer.close()


@pytest.mark.parametrize(
    ("size", "at_once", "wanted"),
    [
        (6, 1, [(100, 102, 2), (102, 104, 2), (104, 105, 1)]),
        (6, 5, [(100, 102, 2), (102, 104, 2), (104, 105, 1)]),
        (6, 2, [(100, 102, 2), (102, 104, 2), (104, 105, 1)]),
        (7, 3, [(100, 103, 3), (103, 105, 2)]),
        (15, 5, [(100, 105, 5)]),
        (16, 5, [(100, 105, 5)]),
        (1, 5, [(n, n + 1, 1) for n in range(100, 105)]),
    ],
)
def test_an_object_is_closed_by_the_line_with_which_it_reaches_its_size(
    size: int, at_once: int, wanted: list[tuple[int, int, int]]
) -> None:
    """Five lines of three bytes: the cut is one that a replay makes again, and readers find it in the key."""
    assert [(p.start, p.end, p.records) for p in pack([b"%d\n" % n for n in range(10, 15)], size, at_once)] == wanted


def test_offsets_with_gaps_end_an_object_behind_its_last_record() -> None:
    packer = Packer(5, 6)
    full = packer.add(b"10\n11\n12\n", [5, 40, 41])
    assert [(p.start, p.end, p.records) for p in map(read, (*full, *packer.finish(90)))] == [(5, 41, 2), (41, 90, 1)]


def test_more_lines_than_offsets_are_a_mistake_that_is_not_written() -> None:
    packer = Packer(5, 6)
    with pytest.raises(ValueError, match="zip"):
        packer.add(b"10\n11\n", [5])
    packer.close()


def test_what_is_given_up_leaves_no_file_open_and_may_be_nothing_at_all() -> None:
    packer = Packer(0, 1 << 30)
    packer.close()
    packer.add(os.urandom(2 << 20).hex().encode() + b"\n", [0])
    body = packer._body
    assert not body.closed
    packer.close()
    assert body.closed


def test_little_is_packed_in_memory_and_much_in_a_file_from_a_mebibyte_on() -> None:
    packer = Packer(0, 1 << 30)
    packer.add(os.urandom(1 << 19).hex().encode() + b"\n", [0])  # packed, half of it
    assert not packer._body._rolled
    packer.add(os.urandom(2 << 20).hex().encode() + b"\n", [1])
    assert packer._body._rolled
    packer.close()


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("more", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("pieces", [1, 2])
def test_lines_that_end_at_a_block_s_edge_of_the_compressor_are_packed_once(
    blocks: int, more: int, pieces: int
) -> None:
    size = (blocks << 20) + more
    first = b"x" * (size // pieces - 1) + b"\n"
    all_lines = [first, b"y" * (size - len(first) - 1) + b"\n"][:pieces]
    [packed] = pack(all_lines, 1 << 30)
    assert gzip.decompress(packed.body) == b"".join(all_lines)
    assert (packed.records, sum(map(len, all_lines))) == (pieces, size)
