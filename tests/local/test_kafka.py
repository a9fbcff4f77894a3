"""The embedded Kafka is a real one that starts, keeps its data and ends."""

from pathlib import Path

import pytest

from local.home import Home
from local.jars import class_path
from local.kafka import Broker, Cluster, seen_brokers
from local.processes import PartError, Parts, stop
from tests.kafka_broker import free_ports
from ticklake.core.errors import SettingsError


def test_a_broker_answers_on_loopback(kafka_bootstrap: str) -> None:
    assert seen_brokers(kafka_bootstrap) == {1}


def test_nobody_answers_on_a_free_port() -> None:
    assert seen_brokers(f"127.0.0.1:{free_ports(1)[0]}", timeout=0.3) == frozenset()


def test_another_number_of_brokers_needs_a_wipe(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"id": "x", "brokers": 3}')
    cluster = Cluster(tmp_path, (Broker(1, 1, 2),), "")
    with pytest.raises(SettingsError, match=r"made with 3 brokers, not 1\..*--wipe"):
        cluster.start(Parts(tmp_path, tmp_path))


def test_a_broker_that_ends_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "run", tmp_path / "logs")
    dead = parts.start("kafka-1", ["sh", "-c", "echo no disk left; exit 3"], {}, tmp_path)
    try:
        with pytest.raises(
            PartError,
            match=r"(?s)kafka-1 has ended, or was killed\. ./ticklake up starts it again.*kafka-1\.log.*no disk left",
        ):
            Cluster(tmp_path, (Broker(1, free_ports(1)[0], 0),), "").wait([dead], seconds=5)
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
