"""The embedded Kafka is a real one that starts, keeps its data and ends."""

import json
from pathlib import Path

import pytest

from local.home import Home
from local.jars import class_path
from local.kafka import Broker, Cluster, claim, seen_brokers
from local.kafka_security import Security
from local.kafka_tools import TOOLS, _with_cluster
from local.processes import PartError, Parts, stop
from local.stack import Stack
from tests.support.kafka_broker import free_ports
from ticklake.core.errors import SettingsError


def test_a_broker_answers_on_loopback(kafka_bootstrap: str) -> None:
    assert seen_brokers({"bootstrap.servers": kafka_bootstrap}) == {1}


def test_nobody_answers_on_a_free_port() -> None:
    assert seen_brokers({"bootstrap.servers": f"127.0.0.1:{free_ports(1)[0]}"}, timeout=0.3) == frozenset()


def test_another_number_of_brokers_needs_a_wipe(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"id": "x", "brokers": 3}')
    cluster = Cluster(tmp_path, (Broker(1, 1, 2),), "")
    with pytest.raises(SettingsError, match=r"made with 3 brokers, not 1\..*--wipe"):
        cluster.start(Parts(tmp_path, tmp_path))


@pytest.mark.parametrize(("made", "wanted"), [(True, False), (False, True)])
def test_a_plain_cluster_and_a_secured_one_need_a_wipe_between_them(made: bool, wanted: bool, tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text(json.dumps({"id": "x", "brokers": 1, "secure": made}))
    security = Security(tmp_path / "security") if wanted else None
    with pytest.raises(SettingsError, match=r"made (secured|without --secure)\..*--wipe"):
        claim(tmp_path, (Broker(1, 1, 2),), security)


def test_up_without_the_flag_leaves_a_secured_cluster_secured(tmp_path: Path) -> None:
    stack = Stack(Home(tmp_path, tmp_path, 24000))
    stack.claim_cluster(1, secure=True)
    stack.claim_cluster(None, secure=False)
    assert stack.security
    assert stack.kafka()["sasl.username"] == "admin"


def test_a_plain_cluster_does_not_become_a_secured_one(tmp_path: Path) -> None:
    stack = Stack(Home(tmp_path, tmp_path, 24000))
    stack.claim_cluster(1, secure=False)
    assert stack.kafka() == {"bootstrap.servers": "127.0.0.1:24092"}
    with pytest.raises(SettingsError, match="without --secure"):
        stack.claim_cluster(None, secure=True)


def test_certificates_and_passwords_are_their_owner_s_alone_and_the_authority_s_key_is_nowhere(tmp_path: Path) -> None:
    security = Security(tmp_path / "security")
    security.make(["kafka-1"])
    security.tool_settings()
    assert security.folder.stat().st_mode & 0o077 == 0
    files = {file.name: file for file in security.folder.iterdir()}
    assert [name for name, file in files.items() if file.stat().st_mode & 0o077] == []
    assert "PRIVATE" not in files["ca.pem"].read_text()
    assert files["kafka-1.pem"].read_text().count("PRIVATE KEY") == 2, "begin and end of the broker's own"
    assert len(set(security.passwords().values())) == 6


@pytest.mark.parametrize("name", ["topics", "cluster"])
def test_a_tool_comes_with_the_secured_cluster_s_settings_unless_it_is_given_others(name: str) -> None:
    tool, file = TOOLS[name], Path("/s/admin.properties")
    assert [*_with_cluster(tool, ["--x"], "b:1", file)].count("--command-config") == 1
    assert "--command-config" not in _with_cluster(tool, ["--x"], "b:1", None)
    assert "/s/admin.properties" not in _with_cluster(tool, ["--command-config", "mine"], "b:1", file)
    assert _with_cluster(tool, ["--help"], "b:1", file) == ["--help"]


def test_a_broker_that_ends_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "run", tmp_path / "logs")
    dead = parts.start("kafka-1", ["sh", "-c", "echo no disk left; exit 3"], {}, tmp_path)
    try:
        with pytest.raises(
            PartError,
            match=r"(?s)kafka-1 has ended, or was killed\. ./ticklake up starts it again.*kafka-1\.log.*no disk left",
        ):
            Cluster(tmp_path, (Broker(1, free_ports(1)[0], 0),), "").wait([dead], seconds=60)
    finally:
        stop([dead])


def test_a_formatting_that_was_cut_off_is_done_again_and_a_whole_one_never(tmp_path: Path) -> None:
    broker = Broker(1, 1, 2)
    data = tmp_path / "kafka-1" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\n")  # written first, before the rest
    cluster = Cluster(tmp_path, (broker,), class_path(Home.from_env()))
    cluster._format(broker, "MkU3OEVBNTcwNTJENDM2Qg")
    assert "cluster.id=MkU3OEVBNTcwNTJENDM2Qg" in (data / "meta.properties").read_text()
    (data / "a-topic-0").mkdir()
    cluster._format(broker, "another")
    assert (data / "a-topic-0").exists()
