"""Three real brokers that can be killed and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from local.home import Home
from local.jars import class_path
from local.kafka import Broker, Cluster
from local.processes import Parts, stop
from tests.support.kafka_broker import free_ports
from tests.support.waiting import wait_for


@dataclass(frozen=True)
class Brokers:
    """The cluster and its processes."""

    cluster: Cluster
    parts: Parts

    @property
    def bootstrap(self) -> str:
        """``host:port,…``."""
        return self.cluster.bootstrap

    def kill(self, *nodes: int) -> None:
        """kill -9."""
        for node in nodes:
            part = self.parts.find(f"kafka-{node}")
            if part and part.alive():
                os.kill(part.pid, signal.SIGKILL)
                wait_for(lambda part=part: not part.alive(), f"the end of {part.name}")  # type: ignore[misc]

    def heal(self) -> None:
        """Start those that do not run, and wait until all are there."""
        self.cluster.wait(self.cluster.start(self.parts))

    def leader(self, topic: str, partition: int) -> int:
        """The broker that leads a Kafka partition."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return int(admin.list_topics(topic, timeout=60).topics[topic].partitions[partition].leader)

    @contextmanager
    def running(self) -> Iterator[None]:
        """They run while the block does."""
        try:
            self.heal()
            yield
        finally:
            stop(self.parts.all(), grace=5)


def stopped_brokers(folder: Path, count: int = 3) -> Brokers:
    """A cluster that does not run yet; its data will lie in ``folder``."""
    ports = free_ports(2 * count)
    nodes = [Broker(n + 1, ports[2 * n], ports[2 * n + 1]) for n in range(count)]
    cluster = Cluster(folder / "kafka", tuple(nodes), class_path(Home.from_env()))
    return Brokers(cluster, Parts(folder / "run", folder / "logs"))


@contextmanager
def brokers(folder: Path, count: int = 3) -> Iterator[Brokers]:
    """A running cluster; its data lies in ``folder``."""
    made = stopped_brokers(folder, count)
    with made.running():
        yield made
