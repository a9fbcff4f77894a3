"""The Kafka partition of a key, as Java's clients choose it: the same key goes to the same partition whatever client writes it.

It is a murmur2 hash with Kafka's seed. Values to compare with: Kafka's own ``UtilsTest.testMurmur2``.
"""

from __future__ import annotations

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_REMEMBERED = 10_000


def murmur2(key: bytes) -> int:
    """The hash, as an unsigned number of 32 bits."""
    length = len(key)
    whole = length // 4 * 4
    h = _SEED ^ length
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


class Partitioner(dict[bytes, int]):
    """Key -> partition of a topic; a stream has few keys, so the latest are remembered."""

    def __init__(self, partitions: int) -> None:
        """Args: partitions: how many the topic has."""
        self.partitions = partitions

    def __missing__(self, key: bytes) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[key] = partition = (murmur2(key) & 0x7FFFFFFF) % self.partitions
        return partition
