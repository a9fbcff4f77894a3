"""The corpus of bad input, case by case, through the code that decides what becomes a row."""

import json
import random
import re
from pathlib import Path

import pytest

from tests.support import corpus
from tests.support.verdict import verdicts
from ticklake.core.formats.dead_letters import kind_of_reason
from ticklake.core.formats.json_rows import Batch, Splicer, UnfitError

CASES = [*corpus.cases(), corpus.too_large(), corpus.large()]


def outcome(splicer: Splicer, value: bytes | None) -> str | bytes:
    """The row, or the kind of reason."""
    try:
        return splicer.row(value, 3, 17, 1795391863986)
    except UnfitError as unfit:
        return kind_of_reason(str(unfit))


def row_of(value: bytes | None) -> bytes:
    """The row that a payload becomes: on one line, its own text, then the three columns."""
    text = (value or b"").strip(b" \t\r\n")[:-1].replace(b"\r", b" ").replace(b"\n", b" ")
    comma = b"," if text.strip() != b"{" else b""
    return text + comma + b'"kafka_partition":3,"kafka_offset":17,"kafka_timestamp":1795391863986}\n'


def test_the_corpus_is_large_and_always_the_same() -> None:
    assert len(CASES) > 500
    assert {c.reason is None for c in CASES} == {True, False}
    assert corpus.cases() == corpus.cases()


def test_each_case_is_the_expected_row_or_rejected_with_the_expected_reason() -> None:
    wrong = []
    for case in CASES:
        expected = case.reason or row_of(case.value)
        found = outcome(Splicer(), case.value)
        if found != expected:
            wrong.append(f"{case.name}: {found[:100]!r}, expected {expected[:100]!r}")
    assert wrong == []


def test_the_verdict_does_not_depend_on_what_came_before() -> None:
    """A splicer remembers the shapes that it has seen; an order in which that opens a door would be found here."""
    alone = {case.name: case.reason or row_of(case.value) for case in CASES}
    splicer = Splicer()
    for seed in range(3):
        shuffled = CASES * 2 if seed == 0 else CASES[:]
        random.Random(seed).shuffle(shuffled)
        for case in shuffled:
            assert outcome(splicer, case.value) == alone[case.name], case.name


def test_what_is_proven_in_a_batch_is_what_the_check_of_each_record_says() -> None:
    """Each case among copies of every other case's neighbourhood: a splicer that knows its shape, or its neighbour's."""
    fit = b'{"Index":"HSI","Open":1.5,"Volume":7}'
    for example in [fit, *(case.value for case in CASES[:-2:40] if case.reason is None)]:
        splicer = Splicer()
        splicer.row(example, 0, 0, 0)
        splicer.learn()
        for case in CASES[:-2]:  # without those of 32 MB
            for values in ([case.value], [example, case.value, example]):
                rows = splicer.rows(Batch(3, (), values, [17] * len(values), [1795391863986] * len(values)))
                if rows is not None:
                    assert case.reason is None, case.name
                    assert rows == b"".join(map(row_of, values)), case.name


def test_each_fit_case_is_learned_from_and_then_proven_or_left_to_its_own_check() -> None:
    proven = 0
    for case in CASES:
        if case.reason is None:
            splicer = Splicer()
            splicer.row(case.value, 0, 0, 0)
            splicer.learn()
            rows = splicer.rows(Batch(3, (), [case.value], [17], [1795391863986]))
            assert rows in (None, row_of(case.value)), case.name
            proven += rows is not None
    assert proven > 50  # else this would prove nothing


def test_no_shape_proves_what_is_rejected_and_what_one_proves_makes_the_same_row() -> None:
    """Records that look like one checked before are proven many at a time, by other means (``core.formats.json_shapes``)."""
    examples = [case.value for case in CASES if case.reason is None and len(case.value or b"") < 10_000]
    others = [case for case in CASES if len(case.value or b"") < 10_000]
    splicer = Splicer()
    proven = 0
    seen: set[tuple[object, ...]] = set()
    for example in examples:
        row = splicer.row(example, 3, 17, 1795391863986)
        splicer.learn()
        assert splicer.rows(batch(example)) in (None, row), example
        shape = tuple((key, type(value)) for key, value in json.loads(example or b"").items())
        if shape in seen:
            continue
        seen.add(shape)
        for case in others:
            rows = splicer.rows(batch(case.value))
            if rows is not None:
                proven += 1
                assert case.reason is None, f"{case.name} is proven by the shape of {example!r}"
                assert rows == row_of(case.value), case.name
    assert proven > len(seen)


def batch(value: bytes | None) -> Batch:
    return Batch(3, (), [value], range(17, 18), [1795391863986])


def test_a_row_is_one_line_that_parses_back_to_the_payloads_own_value() -> None:
    for case in CASES:
        if case.reason is None:
            row = Splicer().row(case.value, 3, 17, 5)
            assert row.count(b"\n") == 1, case.name
            assert b"\r" not in row, case.name
            columns = {"kafka_partition": 3, "kafka_offset": 17, "kafka_timestamp": 5}
            assert json.loads(row) == {**json.loads(case.value or b""), **columns}, case.name


def test_the_rules_written_a_second_time_agree() -> None:
    for case in CASES:
        found = verdicts(case.value)
        assert case.reason in found if case.reason else not found, f"{case.name}: {found}"


@pytest.mark.parametrize("reason", sorted({c.reason for c in CASES if c.reason}))
def test_each_reason_stands_in_the_documentation(reason: str) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "records.md").read_text()
    assert re.search(rf"^\| `{re.escape(reason)}` \|", page, re.MULTILINE), (
        f"docs/records.md does not tell of {reason!r}"
    )
