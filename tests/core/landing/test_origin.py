import pytest

from ticklake.core.errors import LakeError
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Minute


def test_it_is_read_as_it_was_written() -> None:
    origin = Origin(Minute.parse("2026-11-22T10:05"), {0: 17, 11: 0}, "Q1w3pUxDR0-hcZpXVVRsLw")
    assert Origin.from_json(origin.to_json()) == origin


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"minute": "2026-11-22T10:05"}', b'{"minute": "then", "starts": {}}',
     b'{"minute": "2026-11-22T10:05", "starts": {"0": "1"}}'],
)  # fmt: skip
def test_what_is_no_origin_is_refused_rather_than_landed_from_somewhere_else(body: bytes) -> None:
    with pytest.raises(LakeError):
        Origin.from_json(body)
