"""The tasks of reconcile and reland, executed as Airflow's worker does, on a real broker and the embedded AWS."""

import json
import os
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.orchestration.test_catalog_tasks import Event, connect
from tests.support.catalogued import TABLE, Catalogued, new_lake
from tests.support.kafka import create_topics
from ticklake.core.errors import LakeError
from ticklake.core.landing.object_key import manifest_key
from ticklake.core.minute import Minute
from ticklake.core.settings.environment import KAFKA_CONNECTION

pytestmark = pytest.mark.filterwarnings("default")  # Airflow and its provider warn of their own code
LAST = Minute.parse("2026-11-22T10:59")


@dataclass(frozen=True)
class World:
    bootstrap: str
    topic: str
    catalogued: Catalogued
    event: Event
    xcoms: dict[str, Any]

    def context(self, key: str | None = None, **params: Any) -> dict[str, Any]:
        run = SimpleNamespace(partition_key=key, conf={}, run_id="r", logical_date=None, run_after=LAST.plus(11).start)
        events = type("Events", (), {"__getitem__": lambda _, __: self.event})()
        ti = SimpleNamespace(xcom_push=lambda key, value: self.xcoms.update({key: value}))
        return {
            "run_id": "r",
            "partition_key": key,
            "dag_run": run,
            "outlet_events": events,
            "params": params,
            "ti": ti,
        }


@pytest.fixture
def world(aws_endpoint: str, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> World:
    """A topic with two records in the hour's last minute, nothing landed."""
    catalogued, topic = new_lake(aws_endpoint), f"t-{uuid4().hex}"
    for name in [n for n in os.environ if n.startswith("TICKLAKE_")]:
        monkeypatch.delenv(name)
    for name in ("BUCKET", "GLUE_DATABASE", "CRAWLER"):
        monkeypatch.setenv(f"TICKLAKE_{name}", catalogued.name)
    monkeypatch.setenv("TICKLAKE_WORKGROUP", "primary")
    stream = tmp_path / "stream.toml"
    stream.write_text(
        f"""[topic]\nname = "{topic}"\npartitions = 1\nreplication_factor = 1\nmin_insync_replicas = 1\nretention_hours = 1
        [table]\nname = "{TABLE}"\nkey_column = "Index"
        [landing]\ngroup = "{topic}"\nobject_mebibytes = 1\ncatch_up_minutes = 100\n"""
    )
    monkeypatch.setenv("TICKLAKE_STREAM", str(stream))
    connect(monkeypatch, aws_endpoint)
    extra = {"bootstrap.servers": kafka_bootstrap, "group.id": topic}
    connection = json.dumps({"conn_type": "kafka", "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{KAFKA_CONNECTION.upper()}", connection)
    new = NewTopic(topic, 1, 1, config={"message.timestamp.type": "CreateTime"})
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    create_topics(admin, new)
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for n in range(2):
        producer.produce(topic, b'{"n":%d}' % n, timestamp=LAST.start_ms)
    assert producer.flush(60) == 0
    return World(kafka_bootstrap, topic, catalogued, Event(), {})


def reland(world: World, first: str, last: str, **params: Any) -> list[dict[str, Any]]:
    from ticklake.orchestration.reland import hours_of_range, reland_hour

    context = world.context(**{"from": first, "to": last, **params})
    return [reland_hour(context, hour) for hour in hours_of_range(context)]


def reconcile(world: World, key: str | None = None, **params: Any) -> dict[str, Any]:
    from ticklake.orchestration.reconcile import reconcile_hours

    return reconcile_hours(world.context(key, **params))


def test_a_range_is_landed_and_each_of_its_minutes_announced(world: World) -> None:
    partitions: Any = world.event.partitions
    done = reland(world, "2026-11-22T10:58", "2026-11-22T11:00")
    assert [(d["hour"], d["minutes"], d["records"]) for d in done] == [("2026-11-22T10", 2, 2), ("2026-11-22T11", 1, 0)]
    assert partitions == [["2026-11-22T10:58", "2026-11-22T10:59"], ["2026-11-22T11:00"]]


@pytest.mark.parametrize(
    "ends", [("2026-11-22T10", None), ("2026-11-22T10", "2026-11-22T09"), ("2020-01-01T00", "2021-01-01T00")]
)
def test_a_range_that_cannot_be_landed_fails_at_once(world: World, ends: tuple[str, str]) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException):
        reland(world, *ends)


def lose(world: World) -> None:
    """The minute's object is damaged, and Kafka no longer has its offsets."""
    lake = world.catalogued.lake
    [key] = [entry.key for entry in lake.list(f"raw/{TABLE}/")]
    lake.put(key, b"x")
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    [done] = admin.delete_records([TopicPartition(world.topic, 0, 2)]).values()
    done.result(20)


@pytest.mark.parametrize("force", [False, True])
def test_an_object_that_nothing_brings_back_is_not_tried_again(world: World, force: bool) -> None:
    """A retry would find the same: neither Kafka nor the bucket's versions will have it."""
    from airflow.sdk.exceptions import AirflowFailException

    from ticklake.orchestration.kafka_to_s3 import land, prepare

    reland(world, "2026-11-22T10:59", "2026-11-22T10:59")
    lose(world)
    with pytest.raises(AirflowFailException, match=r"is damaged \(2 rows\): Kafka holds .* \(retention\)"):
        reland(world, "2026-11-22T10:59", "2026-11-22T10:59", force=force)
    for task in (land, prepare):
        with pytest.raises(AirflowFailException, match="Put the object back from a backup"):
            task.function(**world.context("2026-11-22T10:59", force=force))


def test_what_came_from_the_buckets_versions_stands_in_the_tasks_result(world: World) -> None:
    from ticklake.orchestration.kafka_to_s3 import land

    lake = world.catalogued.lake
    lake._client.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": "Enabled"})
    reland(world, "2026-11-22T10:59", "2026-11-22T10:59")
    [key] = [entry.key for entry in lake.list(f"raw/{TABLE}/")]
    lose(world)
    [done] = reland(world, "2026-11-22T10:59", "2026-11-22T10:59")
    assert (done["rewritten"], done["restored"]) == (1, 1)
    lake.delete([key])
    assert land.function(**world.context("2026-11-22T10:59"))["restored"] == [key]


def test_hours_that_agree_are_announced_by_their_keys(world: World) -> None:
    reland(world, "2026-11-22T10:59", "2026-11-22T11:59")
    summary = reconcile(world, **{"from": "2026-11-22T10", "to": "2026-11-22T11"})
    partitions: Any = world.event.partitions
    assert partitions[-1] == ["2026-11-22T10", "2026-11-22T11"]
    assert summary["repaired"] == [f"uncatalogued partition: {TABLE} dt=2026-11-22/hr=10: crawled"]
    assert world.event.extra["stored"] == f"reconciled/{TABLE}/dt=2026-11-22/hr=11.json"
    assert world.xcoms["findings"] == summary


@pytest.mark.parametrize("key", ["2026-11-22T10", None])
def test_without_a_range_the_hour_is_the_key_or_the_newest_that_is_over(world: World, key: str | None) -> None:
    assert reconcile(world, key)["hours"] == ["2026-11-22T10"]


def test_a_difference_that_time_may_heal_is_tried_again_and_announces_nothing(world: World) -> None:
    reland(world, "2026-11-22T10:58", "2026-11-22T10:58")
    world.event.partitions.clear()
    with pytest.raises(LakeError, match="1 difference stays: gap: 2026-11-22T10:59"):
        reconcile(world, "2026-11-22T10")
    assert not world.event.partitions
    assert world.xcoms["findings"]["stays"]


def test_a_difference_that_stays_whatever_is_done_is_not_tried_again(world: World) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    reland(world, "2026-11-22T10:59", "2026-11-22T11:00")
    lake, key = world.catalogued.lake, manifest_key(TABLE, LAST)
    lake.put(key, (lake.get(key) or b"").replace(b'"topic_id": "', b'"topic_id": "another-'))
    with pytest.raises(AirflowFailException, match="Kafka disagrees: 2026-11-22T10: landed from the topic with the id"):
        reconcile(world, "2026-11-22T10")
