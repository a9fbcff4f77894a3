"""Tokens for MSK's IAM: what is in them, and their way to a real Kafka. MSK itself is not here: its side takes other tokens."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

from tests.support.secured_kafka import SecuredKafka
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.clients.kafka.consumer import RecordConsumer, TopicReader
from ticklake.clients.kafka.msk_iam import token_as, with_tokens
from ticklake.clients.kafka.producer import RecordProducer
from ticklake.core.errors import KafkaError, SettingsError
from ticklake.orchestration.kafka_hooks import ReaderHook

ROLE = "arn:aws:iam::123456789012:role/landing"
MSK = {
    "bootstrap.servers": "boot-ab12.c1.kafka-serverless.eu-central-1.amazonaws.com:9098",
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "OAUTHBEARER",
}


@pytest.fixture
def worker(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with AWS credentials, and the stand-in's STS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws_endpoint)


def failing(error: Exception) -> None:
    raise AssertionError(error)


def unsecured(user: str) -> tuple[str, int]:
    """A token that a Kafka without a real validator takes, and the end of its life in milliseconds."""

    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    now = int(time.time())
    return f"{part({'alg': 'none'})}.{part({'sub': user, 'iat': now, 'exp': now + 300})}.", (now + 300) * 1000


def token_settings(kafka: SecuredKafka) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.token,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "ssl.ca.location": str(kafka.security.ca),
    }


def test_a_token_is_signed_for_the_cluster_s_region_as_the_role_and_for_fifteen_minutes(worker: None) -> None:
    token, until = token_as("eu-central-1", ROLE)
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("https", "kafka.eu-central-1.amazonaws.com", "/")
    assert asked["Action"] == "kafka-cluster:Connect"
    key, day, *scope = asked["X-Amz-Credential"].split("/")
    assert scope == ["eu-central-1", "kafka-cluster", "aws4_request"]
    assert day == datetime.now(UTC).strftime("%Y%m%d")
    assert key != "test", "the role's key, not the worker's"
    assert asked["X-Amz-Security-Token"]
    assert asked["X-Amz-Expires"] == "900"
    assert asked["X-Amz-Signature"]
    assert 800 < until - time.time() <= 900


def test_the_role_and_the_region_are_the_connection_s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("ticklake.clients.kafka.msk_iam.token_as", lambda *what: asked.append(what) or ("t", 1.0))
    made = with_tokens({**MSK, "sasl.oauthbearer.config": f"role_arn={ROLE}"}, failing)
    assert made["oauth_cb"]("config") == ("t", 1.0)
    assert asked == [("eu-central-1", ROLE, "config")]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sasl.oauthbearer.config": "role_arn=landing"}, "names no role. It is role_arn=arn:aws:iam::"),
        (
            {"sasl.oauthbearer.config": f"role_arn={ROLE}", "bootstrap.servers": "kafka:9098"},
            "names no AWS region",
        ),
    ],
)
def test_a_role_that_is_none_or_a_server_without_a_region_is_told(changed: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        with_tokens({**MSK, **changed}, failing)


def test_a_connection_to_msk_needs_no_callback_of_its_own_and_its_token_reaches_kafka(
    monkeypatch: pytest.MonkeyPatch, secured_kafka: SecuredKafka, secured_topic: str
) -> None:
    """Through Airflow's connection and hook; then Kafka's address takes the place of MSK's, where nobody answers here."""
    connection = json.dumps({"conn_type": "kafka", "extra": {**MSK, "group.id": "ticklake"}})
    monkeypatch.setenv("AIRFLOW_CONN_MSK", connection)
    asked: list[str] = []
    monkeypatch.setattr(
        MSKAuthTokenProvider, "generate_auth_token", lambda region: asked.append(region) or unsecured("landing")
    )
    hook = ReaderHook("msk", secured_kafka.stream)
    config = hook._build_config()
    reader = TopicReader(hook._get_client({**config, **token_settings(secured_kafka)}), secured_topic)
    assert reader.partitions == (0, 1)
    reader.close()
    assert asked[0] == "eu-central-1"


def test_every_client_comes_with_the_token(secured_kafka: SecuredKafka, secured_topic: str) -> None:
    def settings(user: str) -> dict[str, Any]:
        def token(_config: str) -> tuple[str, float]:
            text, until_ms = unsecured(user)
            return text, until_ms / 1000

        return {**token_settings(secured_kafka), "oauth_cb": token}

    def produce(user: str) -> int:
        producer = RecordProducer(settings(user))
        producer.send(secured_topic, [(b"k", b"{}")])
        producer.finish(60)
        return producer.written

    KafkaAdmin(settings("health")).topic_id(secured_topic)
    assert produce("produce") == 1
    with pytest.raises(KafkaError, match="the token's user may not write"):
        produce("landing")


def test_that_there_is_no_token_is_told_with_the_reason(secured_kafka: SecuredKafka) -> None:
    def token(_config: str) -> tuple[str, float]:
        raise RuntimeError("Unable to locate credentials")

    with pytest.raises(KafkaError, match=r"there is no token for it: Unable to locate credentials.*connection my_msk"):
        RecordConsumer({**token_settings(secured_kafka), "oauth_cb": token}, "ticklake", "my_msk")


def test_a_token_that_kafka_does_not_take_is_told(secured_kafka: SecuredKafka) -> None:
    refused = {**token_settings(secured_kafka), "oauth_cb": lambda _: ("bm8.bm8.bm8", time.time() + 300)}
    with pytest.raises(KafkaError, match=r"Kafka refused the token.*kafka-cluster:Connect"):
        KafkaAdmin(refused, "my_msk").topic_id("stock_ticks")
