"""Real parts for the whole session: they start when the first test asks for them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck, settings

from tests.support.aws_stand_in import running_aws
from tests.support.kafka import create_topics
from tests.support.kafka_broker import running_kafka
from tests.support.secured_kafka import SecuredKafka, running_secured_kafka

# Time is not what these tests are about: on a busy machine the first look at Unicode's tables alone takes seconds, and
# Hypothesis would fail whichever test comes first. In CI the examples are the same in every run.
settings.register_profile(
    "ticklake",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("ticklake")


# A suite that was started in the background ignores Ctrl-C, and so would every program that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def short_pauses() -> Iterator[None]:
    """The stand-in answers within milliseconds: hundreds of tests need not wait for it as for AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for client in ("athena", "glue"):
            patch.setattr(f"ticklake.clients.aws.{client}._FIRST_PAUSE", 0.02)
        yield


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``127.0.0.1:port`` of one real Kafka broker, shared by all tests: use topics of your own."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """One broker with TLS, users and rights, shared by all tests."""
    with running_secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def secured_topic(secured_kafka: SecuredKafka) -> str:
    """The topic that the actors of the secured broker have their rights on; made by who may."""
    name = secured_kafka.stream.topic.name
    admin = AdminClient(secured_kafka.client("health"))
    create_topics(admin, NewTopic(name, 2, 1, config={"message.timestamp.type": "LogAppendTime"}))
    return name


@pytest.fixture(scope="session")
def aws_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the embedded AWS's state."""
    return tmp_path_factory.mktemp("aws")


@pytest.fixture(scope="session")
def aws_endpoint(aws_folder: Path) -> Iterator[str]:
    """URL of the embedded AWS, shared by all tests: use buckets, databases and crawlers of your own."""
    with running_aws(aws_folder) as endpoint:
        yield endpoint
