"""How files of the world are written: the separator and the encoding are found, never asked for."""

import pytest

from ticklake.core.errors import InputError
from ticklake.core.sample import form as form_module
from ticklake.core.sample.form import NO_SEPARATOR, form_of


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_each_separator_is_found(written, separator):
    lines = [separator.join(row) for row in (("a", "b", "c"), ("1", "2", "3"), ("x", "y", "z"))]
    assert form_of(written(*lines)).separator == separator


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (("a;b;c", "1,5;2,5;3,5", "1,5;2,5;3,5"), ";"),
        (("Price, USD;Volume", "1,5;200", "2,5;300"), ";"),
        (("Price, USD;Volume;Date", "1,5;200;x"), ";"),
        (('"a;b",c', '"1;2",3', '"4;5;6",7'), ","),
        (("id,title", "1,one; two; three", "2,four|five"), ","),
        (("a\tb", "x, y\tz", "1, 2\t3"), "\t"),
        (("a|b", "1|2"), "|"),
        (("a,b,c", "1", "2,3", "4,5,6"), ","),
        (("only,header",), ","),
    ],
)
def test_the_separator_is_the_one_that_divides_header_and_rows_alike(written, lines, separator):
    """Decimal commas, separators in names, within quotes and in texts are no separators."""
    assert form_of(written(*lines)).separator == separator


@pytest.mark.parametrize("rows", [("hello, world", "one, two, three"), ("a;b", "c"), ("plain", "words"), ()])
def test_a_file_of_one_column_has_no_separator(table, written, rows):
    assert form_of(written("text", *rows)).separator == NO_SEPARATOR
    if rows:
        assert [tick["text"] for tick in table("text", *rows).ticks()] == list(rows)


def test_rows_that_are_all_divided_below_a_header_of_one_name_are_told(refusal):
    assert "line 2: 3 fields, and the header has 1" in refusal("price", "1,2,3", "4,5,6")


def test_blanks_between_a_separator_and_a_quote_are_no_part_of_the_field(table):
    read = table('a, "b"', '1, "x, y"', '2, "z"')
    assert [tick["b"] for tick in read.ticks()] == ["x, y", "z"]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("cp1252", "Windows-1252"),
        ("latin-1", "Latin-1"),
    ],
)
def test_each_encoding_is_found_and_said(table, encoding, told):
    letters = "é\x81" if encoding == "latin-1" else "é"  # 0x81 is no character of Windows-1252
    read = table("name,n", f"caf{letters},1", encoding=encoding)
    assert str(read.form) == f"{told}, comma separator"
    assert read.names == ("name", "n"), "a byte order mark is no part of the first name"
    assert next(read.ticks())["name"] == f"caf{letters}"


def test_the_first_line_that_is_not_utf8_is_said(table, monkeypatch):
    """Also where a character is cut by the end of what is read at once."""
    monkeypatch.setattr(form_module, "_CHUNK", 7)
    assert table("name", "ü", "abcdefgh", "ü").form.note == ""
    read = table("name", "a", "b", "caf\xe9", "d", encoding="latin-1")
    assert read.form.note == "line 4 holds bytes that are not UTF-8: the file is read as Windows-1252"


def test_the_line_is_right_also_behind_a_character_that_was_read_in_two_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(form_module, "_CHUNK", 7)
    path = tmp_path / "any.csv"
    path.write_bytes(b"nameX\xe2\x82" + b"\xac\xff\nab\n")
    assert form_of(path).note.startswith("line 1 holds bytes that are not UTF-8")


def test_what_is_no_text_is_refused_with_the_remedy(refusal):
    assert refusal("a,b", "1,\x002").startswith("FILE, line 2: not text, it holds zero bytes. A compressed file")


def test_a_file_cut_within_a_character_of_utf16_is_refused(written):
    path = written("a,b", "1,2", encoding="utf-16")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="is not what its byte order mark says, UTF-16"):
        form_of(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none.csv cannot be read: No such file .* TICKLAKE_CSV says"):
        form_of(tmp_path / "none.csv")
