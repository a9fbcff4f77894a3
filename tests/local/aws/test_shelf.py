"""A shelf: files made once, kept while there is room."""

import threading

import pytest

from local.aws.shelf import Shelf


@pytest.fixture
def shelf(tmp_path):
    """One with room for three files of ten bytes."""
    return Shelf(tmp_path / "shelf", 30)


def _ten_bytes(path):
    path.write_bytes(b"0123456789")


def _names(shelf, keys, make=_ten_bytes):
    with shelf.lend(dict.fromkeys(keys, make), lambda: None) as files:
        assert all(f.read_bytes() == b"0123456789" for f in files.values())
        return {key: f.name for key, f in files.items()}


def _bytes(shelf):
    return sum(f.stat().st_size for f in shelf._folder.iterdir())


def test_the_least_recently_used_file_goes_first(shelf):
    first = _names(shelf, "abc")
    _names(shelf, "a")
    fourth = _names(shelf, "d")
    assert sorted(f.name for f in shelf._folder.iterdir()) == sorted([first["a"], first["c"], fourth["d"]])
    assert _names(shelf, "a") == {"a": first["a"]}


def test_what_is_being_read_stays_though_others_were_used_since(shelf):
    with shelf.lend(dict.fromkeys("ab", _ten_bytes), lambda: None) as held:
        assert list(_names(shelf, "c") | _names(shelf, "d")) == ["c", "d"]
        assert [f.read_bytes() for f in held.values()] == [b"0123456789"] * 2
    assert _bytes(shelf) == 30


def test_what_finds_no_room_beside_what_is_being_read_is_not_made(shelf):
    tried = []
    with shelf.lend(dict.fromkeys("abc", _ten_bytes), lambda: None) as held:
        assert len(held) == 3
        assert _names(shelf, "d", tried.append) == {}
    assert tried == []
    assert list(_names(shelf, "d")) == ["d"], "it is tried again when there is room"
    assert len(_names(shelf, "abcdefgh")) < 8
    assert _bytes(shelf) <= 30


def test_a_file_larger_than_all_room_is_not_kept(shelf):
    assert _names(shelf, "a", lambda path: path.write_bytes(b"x" * 31)) == {}
    assert _bytes(shelf) == 0


def test_a_file_that_cannot_be_made_is_left_out_and_not_tried_again(shelf):
    tried = []

    def fail(path):
        path.write_bytes(b"half")
        tried.append(path)
        raise ValueError

    for _ in range(2):
        with shelf.lend({"a": fail, "b": _ten_bytes}, lambda: None) as files:
            assert list(files) == ["b"]
    assert len(tried) == 1
    assert _bytes(shelf) == 10


def test_those_who_wait_for_a_file_get_the_one_that_is_being_made(shelf):
    go, made = threading.Event(), []

    def slow(path):
        made.append(path)
        go.wait(10)
        _ten_bytes(path)

    answers = []
    readers = [threading.Thread(target=lambda: answers.append(_names(shelf, "a", slow))) for _ in range(5)]
    for reader in readers:
        reader.start()
    go.set()
    for reader in readers:
        reader.join()
    assert len(made) == 1
    assert answers == [answers[0]] * 5
    assert answers[0]


def test_a_reader_who_is_stopped_waits_no_longer_and_what_only_he_wanted_is_not_made(shelf):
    go, made = threading.Event(), []

    def slow(path):
        made.append(path)
        go.wait(10)
        _ten_bytes(path)

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError), shelf.lend(dict.fromkeys("abcdef", slow), stop):
        pass
    go.set()
    assert list(_names(shelf, "f")) == ["f"]
    assert len(made) <= 3, "two that were being made; of the others only f, which is asked for again"
