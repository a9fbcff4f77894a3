"""What is wrong between a client and a secured broker ends by itself, in words that name the cause and the setting."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.secured_kafka import SecuredKafka
from tests.support.waiting import GUARD_SECONDS
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.clients.kafka.consumer import RecordConsumer, TopicReader
from ticklake.clients.kafka.producer import RecordProducer
from ticklake.clients.kafka.transactions import TransactionalProducer
from ticklake.core.errors import KafkaError
from ticklake.core.landing.offset_ranges import OffsetRange

WRONG = "not-the-password"
GIVE = "Give that user the right, an ACL, or come as another: sasl.username of connection my_kafka."


def read(settings: dict[str, Any], topic: str) -> None:
    consumer = RecordConsumer(settings, "ticklake", "my_kafka")
    try:
        list(TopicReader(consumer, topic).read([OffsetRange(0, 0, 1)]))
    finally:
        consumer.close()


def read_in_another_group(settings: dict[str, Any], topic: str) -> None:
    """Until the answer about the group has come: what lies in the topic may be there before it."""
    consumer = RecordConsumer(settings, "another-group", "my_kafka")
    try:
        reader = TopicReader(consumer, topic)
        while True:
            list(reader.read([OffsetRange(0, 0, 1)]))
    finally:
        consumer.close()


def look(settings: dict[str, Any], topic: str) -> None:
    KafkaAdmin(settings, "my_kafka").topic_id(topic)


def produce(settings: dict[str, Any], topic: str) -> None:
    producer = RecordProducer(settings, "my_kafka")
    producer.send(topic, [(b"k", b"{}")])
    producer.finish(60)


def redrive(settings: dict[str, Any], topic: str) -> None:
    TransactionalProducer(settings, "ticklake-redrive-stock_ticks", "my_kafka")


class Case(NamedTuple):
    """A client that fails: how it comes, and parts of what it says."""

    client: Callable[[dict[str, Any], str], None]
    settings: dict[str, Any]
    said: tuple[str, ...]
    topic: str = "stock_ticks"


def cases(kafka: SecuredKafka, plain: str) -> dict[str, Case]:
    as_landing = kafka.client("landing")
    trusting = {"security.protocol": "SSL", "ssl.ca.location": kafka.other_ca}
    certified = kafka.certificate("landing")
    nameless = {name: value for name, value in certified.items() if name not in _OWN}
    ours = (
        f"{kafka.certified} did not take the client's certificate",
        "Check ssl.certificate.location and ssl.key.location",
    )
    found = {
        "another host": Case(
            read,
            {**trusting, "bootstrap.servers": kafka.elsewhere},
            (f"the certificate of {kafka.elsewhere} is for another host", "Name the brokers in bootstrap.servers"),
        ),
        "unknown authority": Case(
            read,
            {**as_landing, "ssl.ca.location": kafka.other_ca},
            (f"is of an authority that is not in {kafka.other_ca}", "Set ssl.ca.location"),
        ),
        "no TLS": Case(
            look,
            kafka.client("landing", security_protocol=None),
            ("speaks TLS, and security.protocol is PLAINTEXT", "SASL_SSL (with a password) or SSL"),
        ),
        "a password without TLS": Case(
            look,
            {**as_landing, "security.protocol": "SASL_PLAINTEXT"},
            ("speaks TLS, and security.protocol is SASL_PLAINTEXT", "Set security.protocol to SASL_SSL."),
        ),
        "no password": Case(
            look,
            {**as_landing, "security.protocol": "SSL"},
            ("asks for a user and a password", "Set security.protocol to SASL_SSL, and sasl.mechanism"),
        ),
        "another mechanism": Case(
            look,
            {**as_landing, "sasl.mechanism": "PLAIN"},
            ("does not take sasl.mechanism PLAIN, but SCRAM-SHA-512", "Set sasl.mechanism of connection my_kafka"),
        ),
        "a password where none is asked for": Case(
            look,
            {**as_landing, **certified, "security.protocol": "SASL_SSL"},
            (
                "the broker does not ask user 'landing' for a password",
                "Set security.protocol of connection my_kafka to SSL",
            ),
        ),
        "TLS to a plain broker": Case(
            look,
            {**as_landing, "bootstrap.servers": plain},
            (f"{plain} does not speak TLS", "Check security.protocol"),
        ),
        "nobody there": Case(
            look,
            {**as_landing, "bootstrap.servers": "127.0.0.1:1"},
            ("127.0.0.1:1 does not answer: Connection refused", "Are the brokers up", "bootstrap.servers"),
        ),
        "no certificate of its own": Case(read, nameless, ours),
        "own certificate expired": Case(read, kafka.certificate("landing", timedelta(days=-1)), ours),
        "may not write": Case(produce, as_landing, ("user 'landing' may not write to any topic (", GIVE)),
        "certificate may not write": Case(
            produce, certified, (f"the user of certificate {certified['ssl.certificate.location']} may not write",)
        ),
        "may not write here": Case(
            produce, kafka.client("produce"), ("user 'produce' may not do this to the topic (", GIVE), "elsewhere"
        ),
        "may not take the id": Case(
            redrive, kafka.client("produce"), ("user 'produce' may not do this to the transactional id (", GIVE)
        ),
        "may not read": Case(read, kafka.client("health"), ("user 'health' may not do this to the topic (", GIVE)),
        "may not see the group": Case(
            read_in_another_group, as_landing, ("user 'landing' may not do this to the consumer group (", GIVE)
        ),
        "may not see": Case(read, as_landing, ("user 'landing' may not do this to the topic (", GIVE), "another_topic"),
    }
    for client in (read, look, produce, redrive):
        found[f"wrong password: {client.__name__}"] = Case(
            client,
            {**as_landing, "sasl.password": WRONG},
            (
                "Kafka refused user 'landing': ",
                "invalid credentials",
                "Check sasl.username and sasl.password of connection my_kafka.",
            ),
        )
        found[f"expired: {client.__name__}"] = Case(
            client,
            {**trusting, "bootstrap.servers": kafka.expired},
            (f"the certificate of {kafka.expired} has expired. Renew it at the broker", "Connection my_kafka."),
        )
    return found


_OWN = ("ssl.certificate.location", "ssl.key.location")
NAMES = (
    *("another host", "unknown authority", "no TLS", "a password without TLS", "no password", "another mechanism"),
    *("a password where none is asked for", "TLS to a plain broker", "nobody there", "no certificate of its own"),
    *("own certificate expired", "may not write", "certificate may not write"),
    *("may not write here", "may not take the id", "may not read", "may not see", "may not see the group"),
    *(f"{what}: {who}" for who in ("read", "look", "produce", "redrive") for what in ("wrong password", "expired")),
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All that any logger says while these tests run."""
    file = tmp_path_factory.mktemp("log") / "all.log"
    handler = logging.FileHandler(file)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield file
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


@pytest.fixture(scope="module")
def refusals(
    secured_kafka: SecuredKafka, kafka_bootstrap: str, secured_topic: str, log: Path
) -> Iterator[dict[str, tuple[Case, Future[str]]]]:
    """All of them at once, since each is mostly waiting: what is said."""

    def refusal(case: Case) -> str:
        with pytest.raises(KafkaError) as raised:
            case.client(case.settings, case.topic)
        return str(raised.value)

    todo = cases(secured_kafka, kafka_bootstrap)
    assert set(todo) == set(NAMES)
    with ThreadPoolExecutor(8) as pool:
        yield {name: (case, pool.submit(refusal, case)) for name, case in todo.items()}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_named_with_the_setting(name: str, refusals: dict[str, tuple[Case, Future[str]]]) -> None:
    case, future = refusals[name]
    said = future.result(GUARD_SECONDS)
    assert [part for part in case.said if part not in said] == [], said


def test_no_password_is_in_any_of_these_words_or_logs(
    refusals: dict[str, tuple[Case, Future[str]]], log: Path, secured_kafka: SecuredKafka
) -> None:
    """Brokers' logs among them: they saw the same passwords come."""
    said = [future.result(GUARD_SECONDS) for _, future in refusals.values()]
    logs = [log, *(secured_kafka.folder / "logs").iterdir()]
    assert sum(file.stat().st_size for file in logs) > 10_000
    text = "\n".join([*said, *(file.read_text(errors="replace") for file in logs)])
    assert "landing" in text
    assert [user for user, password in secured_kafka.security.passwords().items() if password in text] == []
    assert WRONG not in text
