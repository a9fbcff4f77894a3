from ticklake.core.text_table import text_table


def test_numbers_stand_right_with_commas_and_texts_left():
    assert text_table(("name", "n"), [("a", 5), ("long name", 1234567)]) == (
        "name               n\n---------  ---------\na                  5\nlong name  1,234,567"
    )


def test_no_rows_leave_the_header():
    assert text_table(("a", "b"), []) == "a  b\n-  -"


def test_what_a_record_holds_cannot_write_lines_of_its_own_or_move_the_cursor():
    table = text_table(
        ("a\x1b[2J",), [("HSI\n2026-11-22 ERROR all is lost",), ("\x1b[31mred\x07",), ("\u202eback\u2028",)]
    )
    assert table.splitlines() == [
        "a\\x1b[2J",
        "-" * 33,
        "HSI\\n2026-11-22 ERROR all is lost",
        "\\x1b[31mred\\x07",
        "\\u202eback\\u2028",
    ]
