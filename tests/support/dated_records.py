"""Records with any date at all. librdkafka takes a date of 0 for "now" and refuses -1, as other clients do not."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from tests.support.waiting import wait_for

_PRODUCE, _VERSION, _ALL_REPLICAS = 0, 3, -1
_ELECTING = {3, 5, 6}  # topic not known yet, leader not available, not leader
_POLYNOMIAL = 0x82F63B78  # CRC-32C, Castagnoli

_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (_POLYNOMIAL if _byte & 1 else 0)
    _TABLE.append(_byte)


def produce(bootstrap: str, topic: str, partition: int, records: Sequence[tuple[int, bytes]]) -> int:
    """Send records (date in ms since the epoch, value) as one batch to the only broker; returns the first one's offset.

    The request and the batch are Kafka's Produce, version 3, and record batch, magic 2, as its protocol guide has them.
    """
    batch = _batch(records)

    def answer() -> tuple[int, int] | None:
        error, offset = _send(bootstrap, topic, partition, batch)
        return None if error in _ELECTING else (error, offset)

    error, offset = wait_for(answer, f"{topic} {partition} has no leader")
    assert error == 0, f"Kafka answered with error {error}"
    return offset


def _send(bootstrap: str, topic: str, partition: int, batch: bytes) -> tuple[int, int]:
    """Kafka's error code, and the offset of the first record."""
    body = struct.pack(">hhi", -1, _ALL_REPLICAS, 20_000)
    body += struct.pack(">i", 1) + _text(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
    request = struct.pack(">hhi", _PRODUCE, _VERSION, 1) + _text("tests") + body
    host, _, port = bootstrap.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as broker, broker.makefile("rb") as answer:
        broker.sendall(struct.pack(">i", len(request)) + request)
        answer.read(4 + 4 + 4)  # length, correlation id, number of topics
        answer.read(struct.unpack(">h", answer.read(2))[0] + 4)  # the topic, its number of partitions
        _, error, offset = struct.unpack(">ihq", answer.read(14))
    return error, offset


def _batch(records: Sequence[tuple[int, bytes]]) -> bytes:
    first = records[0][0]
    rows = b"".join(_record(n, date - first, value) for n, (date, value) in enumerate(records))
    dates = [date for date, _ in records]
    checked = struct.pack(">hiqqqhii", 0, len(records) - 1, first, max(dates), -1, -1, -1, len(records)) + rows
    rest = struct.pack(">ibI", -1, 2, _crc(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def _record(number: int, after: int, value: bytes) -> bytes:
    row = b"\0" + _varint(after) + _varint(number) + _varint(-1) + _varint(len(value)) + value + _varint(0)
    return _varint(len(row)) + row


def _varint(number: int) -> bytes:
    """Zigzag, seven bits a byte."""
    left = (number << 1 ^ number >> 63) & (1 << 64) - 1
    out = bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)
    return bytes(out)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF
