"""Records that confluent-kafka's own producer would not send: with a header whose name is not UTF-8. Other clients may."""

import ctypes
from collections.abc import Sequence
from typing import Any

from confluent_kafka import cimpl

_PRODUCER = 0
_END, _TOPIC, _PARTITION, _VALUE, _FLAGS, _TIMESTAMP, _HEADER = 0, 1, 3, 4, 7, 8, 9  # rd_kafka_vtype_t
_COPY = 2


def produce(bootstrap: str, topic: str, at: int, values: Sequence[bytes], header: tuple[bytes, bytes]) -> None:
    """Send records to partition 0 by librdkafka's C interface and wait until they are there; ``at``: ms since the epoch."""
    rd: Any = ctypes.CDLL(cimpl.__file__)
    rd.rd_kafka_conf_new.restype = rd.rd_kafka_new.restype = ctypes.c_void_p
    words = ctypes.create_string_buffer(512)
    config = ctypes.c_void_p(rd.rd_kafka_conf_new())
    assert rd.rd_kafka_conf_set(config, b"bootstrap.servers", bootstrap.encode(), words, 512) == 0, words.value
    client = ctypes.c_void_p(rd.rd_kafka_new(_PRODUCER, config, words, 512))
    name, content = header
    for value in values:
        error = rd.rd_kafka_producev(
            client,
            *(ctypes.c_int(_TOPIC), ctypes.c_char_p(topic.encode())),
            *(ctypes.c_int(_PARTITION), ctypes.c_int32(0)),
            *(ctypes.c_int(_TIMESTAMP), ctypes.c_int64(at)),
            *(ctypes.c_int(_VALUE), ctypes.c_char_p(value), ctypes.c_size_t(len(value))),
            *(ctypes.c_int(_FLAGS), ctypes.c_int(_COPY)),
            *(ctypes.c_int(_HEADER), ctypes.c_char_p(name), ctypes.c_char_p(content), ctypes.c_ssize_t(len(content))),
            ctypes.c_int(_END),
        )
        assert error == 0
    assert rd.rd_kafka_flush(client, 20_000) == 0
    rd.rd_kafka_destroy(client)
