from ticklake.core.text_table import text_table


def test_numbers_stand_right_with_commas_and_texts_left():
    assert text_table(("name", "n"), [("a", 5), ("long name", 1234567)]) == (
        "name               n\n---------  ---------\na                  5\nlong name  1,234,567"
    )


def test_no_rows_leave_the_header():
    assert text_table(("a", "b"), []) == "a  b\n-  -"
