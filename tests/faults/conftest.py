import pytest

from tests.faults.lab import Lab


@pytest.fixture(scope="session")
def lab(kafka_bootstrap: str, aws_endpoint: str) -> Lab:
    """The session's broker and S3; where S3 falls silent, the client's patience is short."""
    return Lab(kafka_bootstrap, aws_endpoint, stalled={"read_timeout": 3})
