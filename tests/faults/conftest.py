import pytest

from tests.faults.lab import Lab


@pytest.fixture(scope="session")
def lab(kafka_bootstrap: str, aws_endpoint: str) -> Lab:
    """The session's broker and S3; a stall is short, and so is the client's patience."""
    return Lab(kafka_bootstrap, aws_endpoint, patience={"read_timeout": 1}, stall_seconds=1.5)
