import gzip

from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.objects import Packed, Packer
from ticklake.core.slices import Slice

lines = st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"") + b"\n"), max_size=50)


def pack(all_lines: list[bytes], size: int) -> list[Packed]:
    packer = Packer(Slice(0, 100, 100 + len(all_lines)), size)
    full = [packed for n, line in enumerate(all_lines) if (packed := packer.add(line, 100 + n))]
    return [*full, *packer.finish()]


@given(lines, st.integers(1, 400))
def test_objects_hold_every_line_once_and_their_offsets_touch(all_lines: list[bytes], size: int) -> None:
    packed = pack(all_lines, size)
    assert b"".join(gzip.decompress(p.body) for p in packed) == b"".join(all_lines)
    assert sum(p.records for p in packed) == len(all_lines)
    if packed:
        assert [p.start for p in packed] == [100, *(p.end for p in packed[:-1])]


@given(lines, st.integers(1, 400))
def test_the_same_lines_make_the_same_bytes(all_lines: list[bytes], size: int) -> None:
    assert pack(all_lines, size) == pack(all_lines, size)


def test_the_last_object_reaches_to_the_slices_end_although_its_last_offsets_hold_no_record() -> None:
    packer = Packer(Slice(0, 5, 12), 1000)
    assert packer.add(b"{}\n", 5) is None
    assert [(p.start, p.end, p.records) for p in packer.finish()] == [(5, 12, 1)]


def test_no_line_no_object() -> None:
    assert list(Packer(Slice(0, 5, 12), 1000).finish()) == []


def test_the_gzip_header_has_no_time_no_name_and_no_system() -> None:
    [packed] = pack([b"{}\n"], 1000)
    assert packed.body[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
