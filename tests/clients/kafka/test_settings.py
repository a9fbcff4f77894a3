from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ticklake.clients.kafka.settings import settings_of
from ticklake.core.errors import SettingsError

NOWHERE: dict[str, Any] = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}


def refused(**extra: Any) -> str:
    with pytest.raises(SettingsError) as found, settings_of("k"):
        AdminClient({**NOWHERE, **extra})
    return str(found.value)


def test_a_setting_that_librdkafka_does_not_know_is_told_with_the_one_meant() -> None:
    said = refused(**{"sasl.pasword": "s3cret"})
    assert said == "Connection k, extra: 'sasl.pasword' is not a setting of librdkafka. Did you mean sasl.password?"


def test_a_setting_like_no_other_is_told_with_where_they_stand() -> None:
    assert refused(**{"xyz": "1"}).endswith("'xyz' is not a setting of librdkafka. librdkafka's names and values: "
                                            "github.com/confluentinc/librdkafka, CONFIGURATION.md.")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("socket.timeout.ms", "soon"),
        ("socket.timeout.ms", 1),
        ("security.protocol", "tls"),
        ("enable.idempotence", "maybe"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_setting(name: str, value: Any) -> None:
    said = refused(**{name: value})
    assert said.startswith("Connection k, extra: ")
    assert name in said


@pytest.mark.parametrize(
    ("name", "also"),
    [
        ("ssl.key.pem", {"security.protocol": "ssl"}),
        ("ssl.ca.pem", {"security.protocol": "ssl"}),
        ("sasl.password", {"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN"}),
        ("oauth_cb", {}),
    ],
)
def test_no_value_of_a_secret_setting_is_repeated(name: str, also: dict[str, str]) -> None:
    said = refused(**{name: "s3cret", **also})
    assert name in said
    assert "s3cret" not in said


def test_an_error_of_another_kind_is_left_to_others() -> None:
    with pytest.raises(KafkaException), settings_of("k"):
        AdminClient(NOWHERE).list_topics(timeout=0.1)
