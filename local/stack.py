"""The parts of the stack as one value: what runs under which name, with which settings."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from local.home import PROJECT, Home
from local.jars import class_path
from local.kafka import Broker, Cluster, claim
from local.kafka_security import ADMIN, Security
from local.processes import Part, PartError, Parts, who_listens

DEFAULT_BROKERS = 3
AWS = "aws"


class AwsLogin(TypedDict):
    """What boto3 wants to know beside the endpoint."""

    aws_access_key_id: str
    aws_secret_access_key: str
    region_name: str


# The stand-in takes any key.
AWS_LOGIN: AwsLogin = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
HOUSEKEEPER = "housekeeper"
AIRFLOW = ("airflow-scheduler", "airflow-triggerer", "airflow-dag-processor", "airflow-api-server")


@dataclass(frozen=True)
class Stack:
    """One stack: its folder and ports, the names of its AWS things, and its parts."""

    home: Home
    bucket: str = "ticklake"
    database: str = "ticklake"
    crawler: str = "ticklake"
    workgroup: str = "ticklake"

    @property
    def stream(self) -> Path:
        """The stream file: TICKLAKE_STREAM, else the project's."""
        return Path(os.environ.get("TICKLAKE_STREAM") or PROJECT / "include" / "streams" / "stock_ticks.toml")

    @property
    def parts(self) -> Parts:
        """Records of what was started."""
        return Parts(self.home.folder / "run", self.home.logs)

    @property
    def _kafka_folder(self) -> Path:
        return self.home.folder / "kafka"

    def _made(self, what: str) -> Any:
        """What the cluster was made with; None when it is not made yet."""
        try:
            return json.loads((self._kafka_folder / "cluster.json").read_text())[what]
        except (OSError, ValueError, KeyError):
            return None

    def brokers(self, wanted: int | None = None) -> tuple[Broker, ...]:
        """The brokers: as many as wanted, else as the cluster was made with, else the default."""
        nodes = range(1, (wanted or self._made("brokers") or DEFAULT_BROKERS) + 1)
        return tuple(Broker(n, self.home.broker_port(n), self.home.controller_port(n)) for n in nodes)

    @property
    def security(self) -> Security | None:
        """Certificates and users, when the cluster was made with --secure."""
        return self._secured if self._made("secure") else None

    @property
    def _secured(self) -> Security:
        return Security(self._kafka_folder / "security")

    def claim_cluster(self, brokers: int | None, secure: bool) -> None:
        """Decide what the cluster is, at its first start; raises SettingsError when it is another already."""
        claim(self._kafka_folder, self.brokers(brokers), self._secured if secure else self.security)

    def cluster(self, wanted: int | None = None) -> Cluster:
        """The Kafka cluster; downloads its jars when they are missing."""
        return Cluster(self._kafka_folder, self.brokers(wanted), class_path(self.home), self.security)

    def kafka(self, user: str = ADMIN) -> dict[str, Any]:
        """librdkafka's settings of a client; of this user where the cluster is secured."""
        return {"bootstrap.servers": self.bootstrap, **(self.security.client(user) if self.security else {})}

    @property
    def bootstrap(self) -> str:
        """Kafka's ``host:port,…``."""
        return ",".join(f"127.0.0.1:{b.port}" for b in self.brokers())

    def addresses(self, brokers: int | None = None) -> dict[str, str]:
        """Every part's name -> where it listens; empty for those that only call others."""
        kafka = {b.name: f"127.0.0.1:{b.port}" for b in self.brokers(brokers)}
        airflow = {name: self.home.airflow_url if name == "airflow-api-server" else "" for name in AIRFLOW}
        return {**kafka, AWS: self.home.aws_endpoint, **airflow, HOUSEKEEPER: ""}

    def alive(self, name: str) -> Part | None:
        """The part when it runs."""
        part = self.parts.find(name)
        return part if part and part.alive() else None

    def _another_base(self) -> int:
        """One below the ports that systems give to outgoing connections."""
        return self.home.port_base + 1000 if self.home.port_base < 31_000 else 25_000

    def check_ports(self, brokers: int | None) -> None:
        """Raise PartError naming a port that a part needs, is not started, and somebody else holds."""
        ports: dict[str, tuple[int, ...]] = {b.name: (b.port, b.controller_port) for b in self.brokers(brokers)}
        ports[AWS] = (self.home.aws_port,)
        ports["airflow-api-server"] = (self.home.airflow_port,)
        for name, needed in ports.items():
            part = self.parts.find(name)
            # Children that outlived a killed part hold its ports, and go when it is started again.
            if part and part.members():
                continue
            for port in needed:
                if not _is_free(port):
                    holder = who_listens(port) or "another program"
                    raise PartError(
                        f"Port {port} for {name} is taken by {holder}.",
                        f"Stop it, or move all ports: TICKLAKE_PORT_BASE={self._another_base()} ./ticklake up",
                    )


def _is_free(port: int) -> bool:
    with socket.socket() as s:
        # A port that only waits for its last connections to fade is free for the parts, too.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
