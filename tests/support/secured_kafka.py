"""A real Kafka with TLS, users and rights; beside the listener that works it has one for each thing that can be wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from local.home import PROJECT, Home
from local.jars import class_path
from local.kafka import Broker, Cluster
from local.kafka_security import Authority, Security, grant, rights
from local.login import write_secret
from tests.support.kafka import rights_in_force
from tests.support.kafka_broker import free_ports, running
from tests.support.waiting import wait_for
from ticklake.core.settings.stream import Stream

_OAUTH_LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"


@dataclass(frozen=True)
class SecuredKafka:
    """One broker that gives its actors the rights of ``stream``.

    ``expired``, ``elsewhere``, ``certified`` and ``token`` are addresses of listeners: with a certificate that has expired,
    with one for another host, one that asks clients for a certificate, one that takes an OAUTHBEARER token.
    """

    cluster: Cluster
    security: Security
    stream: Stream
    folder: Path
    authority: Authority
    expired: str
    elsewhere: str
    certified: str
    token: str

    def client(self, user: str, **changed: Any) -> dict[str, Any]:
        """librdkafka's settings of a user; changed ones with ``_`` for ``.``, None takes one away."""
        settings = {**self.cluster.client(user), **{name.replace("_", "."): value for name, value in changed.items()}}
        return {name: value for name, value in settings.items() if value is not None}

    @property
    def other_ca(self) -> str:
        """Certificate of the authority that signed ``expired`` and ``elsewhere``, and clients; the cluster has its own."""
        return str(self.folder / "authority.pem")

    def certificate(self, name: str, valid: timedelta = timedelta(days=1)) -> dict[str, Any]:
        """librdkafka's settings of a client that shows a certificate of this name."""
        file = self.folder / f"{name}-{valid.days}.pem"
        write_secret(file, self.authority.issue(name, [name], valid))
        return {
            "bootstrap.servers": self.certified,
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.security.ca),
            "ssl.certificate.location": str(file),
            "ssl.key.location": str(file),
        }


@contextmanager
def running_secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Start it; its data and logs lie in ``folder``."""
    own, controller, *others = free_ports(6)
    names = ("EXPIRED", "ELSEWHERE", "CERTIFIED", "TOKEN")
    places = dict(zip(names, (f"127.0.0.1:{port}" for port in others), strict=True))
    authority = Authority.new()
    for name, hosts, valid in (("expired", ["127.0.0.1"], -1), ("elsewhere", ["kafka.example.com"], 1)):
        write_secret(folder / f"{name}.pem", authority.issue("kafka-1", hosts, timedelta(days=valid)))
    write_secret(folder / "authority.pem", authority.pem)
    broker = Broker(1, own, controller)
    security = Security(folder / "kafka" / "security")
    listeners = [f"CLIENT://127.0.0.1:{own}", f"CONTROLLER://127.0.0.1:{controller}"]
    more = {
        "listeners": ",".join([*listeners, *(f"{name}://{place}" for name, place in places.items())]),
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:SSL,EXPIRED:SSL,ELSEWHERE:SSL,"
        "CERTIFIED:SSL,TOKEN:SASL_SSL",
        "listener.name.expired.ssl.keystore.location": folder / "expired.pem",
        "listener.name.elsewhere.ssl.keystore.location": folder / "elsewhere.pem",
        "listener.name.certified.ssl.client.auth": "required",
        "listener.name.certified.ssl.truststore.location": folder / "authority.pem",
        "listener.name.certified.ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
        "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.token.oauthbearer.sasl.jaas.config": f'{_OAUTH_LOGIN} unsecuredLoginStringClaim_sub="admin";',
    }
    cluster = Cluster(folder / "kafka", (broker,), class_path(Home.from_env()), security, more)
    stream = Stream.from_toml(PROJECT / "include" / "streams" / "stock_ticks.toml")
    with running(cluster, folder):
        grant(cluster.client(), stream)
        # The answer is the controller's: the broker goes by them a moment later.
        wanted = sum(len(right.operations) for right in rights(stream))
        admin = AdminClient({**cluster.client(), "log_level": 0})
        wait_for(lambda: len(rights_in_force(admin)) == wanted, f"{wanted} rights in force")
        yield SecuredKafka(
            cluster,
            security,
            stream,
            folder,
            authority,
            places["EXPIRED"],
            places["ELSEWHERE"],
            places["CERTIFIED"],
            places["TOKEN"],
        )
