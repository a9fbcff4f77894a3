"""The form of `./ticklake status --json` that programs rely on."""

from typing import Any

_FORM: dict[str, dict[str, Any]] = {
    "kafka": {"bootstrap": str, "topic": str, "end_offsets": dict, "start_offsets": dict},
    "aws": {"endpoint": str, "bucket": str, "database": str, "table": str},
    "airflow": {"url": str},
    "sealed": {"newest": str | None, "minutes": int, "records": int, "rejected": int, "lost": int},
    "counted": {"at": str | None, "records": int, "distinct": int},
    "waiting": {
        "lag": int | None,
        "oldest_unsealed_seconds": float | None,
        "partitions": dict,
        "open_transactions": list,
        "faults": list,
    },
}


def check_form(status: dict[str, Any]) -> None:
    """Fail unless the status has exactly the promised keys, and values of the promised types."""
    assert list(status) == ["parts", *_FORM]
    for part in status["parts"]:
        assert list(part) == ["name", "up", "pid", "address"]
        assert isinstance(part["name"], str)
        assert isinstance(part["up"], bool)
        assert isinstance(part["pid"], int if part["up"] else type(None))
        assert isinstance(part["address"], str | None)
    for section, form in _FORM.items():
        assert list(status[section]) == list(form), section
        for key, kind in form.items():
            assert isinstance(status[section][key], kind), f"{section}.{key} is {status[section][key]!r}"
    for partition, waiting in status["waiting"]["partitions"].items():
        assert partition.isdigit()
        assert list(waiting) == ["lag", "oldest_unsealed_seconds", "held_back"]
    for offsets in (status["kafka"]["end_offsets"], status["kafka"]["start_offsets"]):
        assert all(partition.isdigit() and isinstance(offset, int) for partition, offset in offsets.items())
