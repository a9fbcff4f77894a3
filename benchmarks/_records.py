"""Ticks like those of the CSV, all different, always the same ones; and topics filled with them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from confluent_kafka import Producer

from ticklake.core.minute import Minute

_INDICES = (
    "HSI",
    "NYA",
    "J203.JO",
    "IXIC",
    "000001.SS",
    "N225",
    "N100",
    "399001.SZ",
    "GSPTSE",
    "NSEI",
    "GDAXI",
    "SSMI",
    "TWII",
)
_TICK = '{"Index":"%s","Date":"%d-%02d-%02d","Open":%r,"High":%r,"Low":%r,"Close":%r,"Adj Close":%r,"Volume":%d,"CloseUSD":%r}'


def ticks(count: int, seed: int = 1) -> Iterator[bytes]:
    """So many ticks of about 185 bytes."""
    chance = random.Random(seed).random
    for n in range(count):
        price = 100 + chance() * 30_000
        opened, closed = round(price * (0.99 + chance() / 50), 6), round(price * (0.99 + chance() / 50), 6)
        yield (
            _TICK
            % (
                _INDICES[n % 13], 1970 + n % 50, 1 + n % 12, 1 + n % 28,
                opened, round(price * 1.01, 6), round(price * 0.98, 6), closed, closed,
                int(chance() * 1e10), round(closed * 0.13, 6),
            )
        ).encode()  # fmt: skip


def padded(count: int, size: int) -> Iterator[bytes]:
    """So many ticks, made up to ``size`` bytes with text that packs about as well as they do."""
    chance = random.Random(2)
    words = [f"{chance.random():.6f}" for _ in range(997)]
    for n, tick in enumerate(ticks(count)):
        short = tick[: size - 1].rpartition(b",")[0] + b"}" if len(tick) > size else tick
        missing = size - len(short) - len(b',"Note":""')
        if missing > 0:
            text = " ".join(words[(n * 31 + i) % 997] for i in range(missing // 8 + 1))[:missing]
            short = b'%b,"Note":"%b"}' % (short[:-1], text.encode())
        yield short


def fill(bootstrap: str, topic: str, partitions: int, minute: Minute, values: Iterable[bytes], count: int) -> None:
    """Produce the values (``count`` of them) with timestamps spread over the minute, spread over the Kafka partitions."""
    together = 500 if count >= 500 * partitions else 1
    _produce(
        bootstrap,
        topic,
        ((value, n // together % partitions, minute.start_ms + n * 60_000 // count) for n, value in enumerate(values)),
    )


def fill_minutes(
    bootstrap: str, topic: str, partitions: int, first: Minute, minutes: int, values: Iterable[bytes]
) -> None:
    """Produce 60 values a minute, one a second, for so many minutes, spread over the Kafka partitions."""
    _produce(
        bootstrap,
        topic,
        ((v, n % partitions, first.start_ms + n * 1000) for n, v in enumerate(islice(values, 60 * minutes))),
    )


def _produce(bootstrap: str, topic: str, records: Iterable[tuple[bytes, int, int]]) -> None:
    """Produce (value, Kafka partition, timestamp); raises when one is not acknowledged."""
    failed: list[object] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "lz4",
            # Else a batch that is sent again may change places with the next one.
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.num.messages": 2000,
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 262_144,
            "on_delivery": lambda error, _: failed.append(error) if error else None,
        }
    )
    for n, (value, partition, at) in enumerate(records):
        while True:
            try:
                producer.produce(topic, value, b"key", partition, timestamp=at)
                break
            except BufferError:
                producer.poll(0.1)
        if n % 1000 == 0:
            producer.poll(0)
    if producer.flush(120) or failed:
        raise RuntimeError(f"{topic} was not filled: {failed[:1]}")


def past_minute(minutes: int = 10) -> Minute:
    """A whole minute so many minutes ago."""
    return Minute.containing(datetime.now(UTC)).plus(-minutes)
