"""A real Kafka of the test's own: started in a folder, on free ports of loopback, gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.home import Home
from local.jars import class_path
from local.kafka import Broker, Cluster
from local.processes import Parts, stop
from tests.support.ports import free_ports

__all__ = ["free_ports", "running", "running_kafka"]


@contextmanager
def running_kafka(folder: Path, brokers: int = 1) -> Iterator[str]:
    """Start a cluster and yield its bootstrap address; its data lies in ``folder``."""
    ports = free_ports(2 * brokers)
    nodes = [Broker(n + 1, ports[2 * n], ports[2 * n + 1]) for n in range(brokers)]
    cluster = Cluster(folder / "kafka", tuple(nodes), class_path(Home.from_env()))
    with running(cluster, folder):
        yield cluster.bootstrap


@contextmanager
def running(cluster: Cluster, folder: Path) -> Iterator[None]:
    """The cluster is up; its logs lie in ``folder/logs``."""
    parts = Parts(folder / "run", folder / "logs")
    try:
        cluster.wait(cluster.start(parts))
        yield
    finally:
        stop(parts.all(), grace=5)
