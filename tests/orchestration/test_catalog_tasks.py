"""The tasks of s3_to_catalog and catalog_to_counts, executed as Airflow's worker does, on the embedded AWS."""

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.catalogued import TABLE, Catalogued, new_lake
from tests.support.landed import land
from tests.support.waiting import GUARD_SECONDS
from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour
from ticklake.core.settings.environment import AWS_CONNECTION

pytestmark = pytest.mark.filterwarnings("default")  # Airflow and its provider warn of their own code
PAST = "2026-11-22T10"
FAILED = "__fail__"  # what Airflow resumes a task with whose trigger failed or was late


@pytest.fixture
def catalogued(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Catalogued:
    found = new_lake(aws_endpoint)
    connect(monkeypatch, aws_endpoint)
    for name in [n for n in os.environ if n.startswith("TICKLAKE_")]:
        monkeypatch.delenv(name)
    for name in ("BUCKET", "GLUE_DATABASE", "CRAWLER"):
        monkeypatch.setenv(f"TICKLAKE_{name}", found.name)
    monkeypatch.setenv("TICKLAKE_WORKGROUP", "primary")
    stream = tmp_path / "stream.toml"
    stream.write_text(
        f"""[topic]\nname = "t"\npartitions = 1\nreplication_factor = 1\nmin_insync_replicas = 1\nretention_hours = 1
        [table]\nname = "{TABLE}"\nkey_column = "Index"
        [landing]\ngroup = "g"\nobject_mebibytes = 1\ncatch_up_minutes = 1\n"""
    )
    monkeypatch.setenv("TICKLAKE_STREAM", str(stream))
    return found


def connect(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1", "config_kwargs": {"retries": {"max_attempts": 0}}}
    connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}", json.dumps(connection))


class Event:
    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.partitions: list[str] = []

    def add_partitions(self, key: str) -> None:
        self.partitions.append(key)


def context(key: str, event: Event, **params: Any) -> dict[str, Any]:
    run = SimpleNamespace(partition_key=key, conf={}, run_id="r")
    events = type("Events", (), {"__getitem__": lambda _, __: event})()
    return {"partition_key": key, "dag_run": run, "outlet_events": events, "params": params}


@pytest.fixture
def event() -> Event:
    return Event()


def sensor() -> Any:
    from ticklake.orchestration.s3_to_catalog import FirstObjectSensor

    return FirstObjectSensor(task_id="wait")


def crawl() -> Any:
    from ticklake.orchestration.s3_to_catalog import CatalogHourOperator

    return CatalogHourOperator(task_id="crawl")


def counting() -> Any:
    from ticklake.orchestration.catalog_to_counts import CountHourOperator

    return CountHourOperator(task_id="count")


def deferred(call: Callable[[], Any]) -> Any:
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as found:
        call()
    return found.value


def test_an_hour_with_an_object_is_not_waited_for(catalogued, event):
    land(catalogued.lake, TABLE, f"{PAST}:59", {0: (0, 3)})
    assert sensor().execute(context(PAST, event)) is None


def test_a_past_hour_without_an_object_is_skipped_at_once(catalogued, event):
    from airflow.sdk.exceptions import AirflowSkipException

    land(catalogued.lake, TABLE, "2026-11-22T11:00", {0: (0, 3)})
    with pytest.raises(AirflowSkipException, match="2026-11-22T10 is over"):
        sensor().execute(context(PAST, event))


def test_the_running_hour_is_waited_for_in_the_triggerer(catalogued, event):
    hour = Hour.containing(datetime.now(UTC))
    wait = deferred(lambda: sensor().execute(context(hour.key, event)))
    assert wait.trigger.bucket_key == f"raw/{TABLE}/dt={hour.dt}/hr={hour.hr}/*"
    assert 0 < wait.timeout.total_seconds() <= 65 * 60


def test_an_hour_that_ends_while_it_is_waited_for_is_skipped(catalogued, event):
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="ended without an object"):
        sensor().resume_execution(FAILED, {"error": "Trigger timeout"}, context(PAST, event))


def test_an_error_of_s3_while_waiting_is_a_failure_and_no_skip(catalogued, event):
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(Exception, match="broken") as found:
        sensor().resume_execution(
            "execute_complete", {"event": {"status": "error", "message": "broken"}}, context(PAST, event)
        )
    assert not isinstance(found.value, AirflowSkipException)


def test_the_crawl_is_waited_for_in_the_triggerer_and_the_hour_announced(catalogued, event):
    land(catalogued.lake, TABLE, f"{PAST}:00", {0: (0, 3)})
    task = crawl()
    wait = deferred(lambda: task.execute(context(PAST, event)))
    assert wait.trigger.serialize()[1]["crawler_name"] == catalogued.name
    catalogued.wait_for_crawl()
    crawl().execute_complete(context(PAST, event), {"status": "success"})
    assert event.partitions == [PAST]


def test_a_crawl_under_way_is_gone_along_with(catalogued, event):
    land(catalogued.lake, TABLE, f"{PAST}:00", {0: (0, 3)})
    waits = [deferred(lambda: crawl().execute(context(PAST, event))) for _ in range(2)]
    assert [wait.trigger.serialize()[1]["crawler_name"] for wait in waits] == [catalogued.name] * 2


def test_a_crawl_that_did_not_find_the_hour_fails_and_announces_nothing(catalogued, event):
    with pytest.raises(LakeError, match="no partition"):
        crawl().execute_complete(context(PAST, event), {"status": "success"})
    assert not event.partitions


def test_a_catalogued_hour_is_counted_at_once(catalogued, event):
    land(catalogued.lake, TABLE, f"{PAST}:00", {0: (0, 3)})
    catalogued.crawl()
    summary = counting().execute(context(PAST, event))
    assert summary["of_all"] == "landed 3 · counted 3 · difference 0"
    assert (event.partitions, event.extra) == ([PAST], summary)


def test_an_hour_that_is_not_in_the_catalog_is_waited_for_in_the_triggerer(catalogued, event):
    land(catalogued.lake, TABLE, f"{PAST}:00", {0: (0, 3)})
    wait = deferred(lambda: counting().execute(context(PAST, event)))
    path, arguments = wait.trigger.serialize()
    assert path == "ticklake.orchestration.catalog_to_counts.HourInCatalogTrigger"
    names = {"connection": "ticklake_aws", "database": catalogued.name, "table": TABLE}
    assert arguments == {**names, "hour": PAST}


def test_an_hour_in_which_nothing_was_landed_is_not_waited_for(catalogued, event):
    land(catalogued.lake, TABLE, f"{PAST}:00", {0: (0, 0)})
    assert counting().execute(context(PAST, event))["of_hour"] == "landed 0 · counted 0 · difference 0"


def test_a_wait_in_vain_fails_with_the_command_that_helps(catalogued, event):
    with pytest.raises(LakeError, match=rf"{PAST}.*backfill create --dag-id s3_to_catalog --from-date {PAST}:00"):
        counting().resume_execution(FAILED, {"error": "Trigger timeout"}, context(PAST, event))


def test_the_wait_ends_when_the_hour_comes_into_the_catalog(catalogued, monkeypatch):
    from ticklake.orchestration import catalog_to_counts

    async def wait() -> Any:
        vain, twice = [], asyncio.Event()

        async def pause(seconds: float) -> None:
            vain.append(seconds)
            if len(vain) == 2:
                twice.set()
            await asyncio.sleep(0.05)

        monkeypatch.setattr(catalog_to_counts, "asyncio", SimpleNamespace(sleep=pause))
        trigger: Any = catalog_to_counts.HourInCatalogTrigger(catalogued.name, TABLE, PAST)
        async with aclosing(trigger.run()) as events:
            first = asyncio.ensure_future(anext(events))
            await asyncio.wait_for(twice.wait(), GUARD_SECONDS)
            assert not first.done()  # not even the table is there
            assert set(vain) == {catalog_to_counts._LOOK_EVERY}
            land(catalogued.lake, TABLE, f"{PAST}:00", {0: (0, 3)})
            await asyncio.to_thread(catalogued.crawl)
            return (await asyncio.wait_for(first, GUARD_SECONDS)).payload

    assert asyncio.run(wait()) == PAST
