"""Partitions of keys, for as many keys as come."""

from ticklake.clients.kafka.partitioner import Partitioner, murmur2


def test_what_is_remembered_is_bounded_and_changes_nothing():
    partition_of = Partitioner(7)
    keys = [b"%d" % n for n in range(25_000)]
    assert [partition_of[key] for key in keys] == [(murmur2(key) & 0x7FFFFFFF) % 7 for key in keys]
    assert len(partition_of) <= 10_000
