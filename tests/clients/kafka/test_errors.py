import logging

from confluent_kafka import KafkaError

from ticklake.clients.kafka.errors import ErrorLog, shared_settings


def test_settings_that_only_consumers_know_are_dropped():
    connection = {
        "bootstrap.servers": "a:1",
        "sasl.username": "u",
        "group.id": "g",
        "auto.offset.reset": "error",
        "enable.auto.commit": False,
        "max.poll.interval.ms": 1,
        "security.protocol": "SSL",
    }
    assert list(shared_settings(connection)) == ["bootstrap.servers", "sasl.username", "security.protocol"]


def test_an_error_that_repeats_itself_is_logged_once(caplog):
    errors = ErrorLog()
    with caplog.at_level(logging.WARNING):
        for n in range(5):
            errors(KafkaError(KafkaError._TRANSPORT, f"refused (after {n}ms in state CONNECT)"))
    assert [r.getMessage() for r in caplog.records] == ["Kafka: refused"]


def test_that_all_brokers_are_down_does_not_hide_the_reason():
    errors = ErrorLog()
    assert errors.because() == ""
    errors(KafkaError(KafkaError._TRANSPORT, "refused"))
    errors(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert errors.because() == " (refused)"
