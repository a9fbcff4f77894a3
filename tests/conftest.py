"""Real parts for the whole session: they start when the first test asks for them."""

from collections.abc import Iterator

import pytest

from tests.kafka_broker import running_kafka


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``127.0.0.1:port`` of one real Kafka broker, shared by all tests: use topics of your own."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap
