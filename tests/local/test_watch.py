"""The wait of `./ticklake up`: it ends with the words of the first task that failed, or says what it waited for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local import airflow, airflow_api, watch
from local.home import Home
from local.lake import CountedTotal, SealedTotal
from local.processes import PartError
from local.stack import Stack
from local.status import Offsets
from local.task_failures import Attempt
from ticklake.core.errors import SettingsError

BEGAN = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
RUN = "scheduled__2026-11-27T10:00:01+00:00"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Home(tmp_path, tmp_path / "tools", 24000))


def told(dag: str = "csv_to_kafka", task: str = "produce", state: str = "failed", **more: Any) -> dict[str, Any]:
    """A task instance as Airflow's REST API tells it."""
    return {
        "dag_id": dag,
        "dag_run_id": RUN,
        "task_id": task,
        "map_index": -1,
        "try_number": 1,
        "max_tries": 2,
        "state": state,
        "start_date": (BEGAN + timedelta(seconds=5)).isoformat(),
        **more,
    }


def attempt(folder: Path, **more: Any) -> Attempt:
    return Attempt.of(told(**more), folder / "airflow" / "logs")


def write_log(of: Attempt, *entries: dict[str, Any] | str) -> None:
    of.log.parent.mkdir(parents=True)
    of.log.write_text("".join((e if isinstance(e, str) else json.dumps(e)) + "\n" for e in entries))


INFO = {"timestamp": "2026-11-27T10:00:06Z", "level": "info", "event": "Filling up the DagBag", "logger": "dagbag"}


def raised(kind: str, words: str) -> dict[str, Any]:
    details = [{"exc_type": kind, "exc_value": words, "frames": []}, {"exc_type": "InputError", "exc_value": "cause"}]
    return {"level": "error", "event": "Task failed with exception", "error_detail": details}


def test_the_words_of_a_task_are_those_of_its_error_and_nothing_else(tmp_path: Path) -> None:
    one = attempt(tmp_path)
    write_log(one, INFO, raised("AirflowFailException", "any.csv, line 7, column Close: 'abc' is not a number."), INFO)
    assert one.words() == "  any.csv, line 7, column Close: 'abc' is not a number."


def test_an_error_whose_words_do_not_say_all_is_told_with_its_class(tmp_path: Path) -> None:
    one = attempt(tmp_path)
    write_log(one, raised("KeyError", "'x'"), {"level": "error", "event": "and\nmore"})
    assert one.words() == "  KeyError: 'x'\n  and\n  more"


def test_a_log_without_errors_shows_its_last_lines_also_where_they_are_no_json(tmp_path: Path) -> None:
    one = attempt(tmp_path)
    write_log(one, *({"level": "info", "event": f"n{n}"} for n in range(30)), "killed", '"odd"')
    assert one.words().splitlines()[-3:] == ["  n29", "  killed", '  "odd"']
    assert len(one.words().splitlines()) == 12


def test_a_task_without_a_log_has_no_words(tmp_path: Path) -> None:
    assert attempt(tmp_path).words() == ""


def test_a_mapped_task_has_a_log_and_a_name_of_its_own(tmp_path: Path) -> None:
    one = attempt(tmp_path, dag="kafka_to_s3", task="write", map_index=2, try_number=3)
    assert one.name == "kafka_to_s3.write[2]"
    assert one.log.parts[-5:] == (
        "dag_id=kafka_to_s3",
        f"run_id={RUN}",
        "task_id=write",
        "map_index=2",
        "attempt=3.log",
    )


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Airflow reports about failed tasks; the requests are kept in ``asked``."""
    answer: list[dict[str, Any]] = []
    monkeypatch.setattr(airflow_api.Api, "_call", lambda *_, **__: {"task_instances": answer})
    monkeypatch.setattr(watch, "_FAILURES_EVERY", 0)
    return answer


def test_the_first_task_that_failed_for_good_is_told_with_its_log_and_the_next_step(
    stack: Stack, api: list[Any]
) -> None:
    api += [told(state="up_for_retry", task="check_brokers"), told()]
    one = attempt(stack.home.folder)
    write_log(one, INFO, raised("AirflowFailException", "any.csv, line 7: no number.\nMend it."))
    with pytest.raises(PartError) as caught:
        watch.Failures(stack, BEGAN).look()
    assert str(caught.value).splitlines() == [
        "csv_to_kafka.produce has failed for good, in try 1 of 3:",
        "  any.csv, line 7: no number.",
        "  Mend it.",
        f"Its log: {one.log}",
        "All parts still run. Mend that, then go on: ./ticklake up. To try only the task again, clear it: "
        f"http://127.0.0.1:24080/dags/csv_to_kafka/runs/{RUN}/tasks/produce",
    ]


def test_failures_of_an_earlier_day_or_of_a_run_before_this_up_do_not_count(stack: Stack, api: list[Any]) -> None:
    api.append(told(start_date=(BEGAN - timedelta(seconds=1)).isoformat()))
    assert watch.Failures(stack, BEGAN).look() == ()


def test_a_task_that_never_began_counts_as_failed(stack: Stack, api: list[Any]) -> None:
    """The scheduler gives up a task that no worker takes; it has no start."""
    api.append(told(start_date=None))
    with pytest.raises(PartError, match=r"produce has failed for good.*\n  It has no log\."):
        watch.Failures(stack, BEGAN).look()


def test_a_dag_that_is_not_waited_for_does_not_end_the_wait(stack: Stack, api: list[Any]) -> None:
    api.append(told(dag="reconcile"))
    assert watch.Failures(stack, BEGAN).look() == ()


def test_a_task_that_is_tried_again_is_for_the_progress_line(stack: Stack, api: list[Any]) -> None:
    api.append(told(state="up_for_retry"))
    (one,) = watch.Failures(stack, BEGAN).look()
    assert one.progress == "csv_to_kafka.produce failed, is tried again (1 of 3)"


def test_an_api_that_is_busy_for_a_moment_does_not_end_the_wait(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise PartError("Airflow answers with 500: database is locked")

    monkeypatch.setattr(airflow_api.Api, "_call", busy)
    assert watch.Failures(stack, BEGAN).look() == ()


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch, api: list[Any]) -> dict[str, Any]:
    """What the parts say of the counts, in place of the parts."""
    says: dict[str, Any] = {"kafka": 0, "sealed": SealedTotal(), "counted": CountedTotal()}
    monkeypatch.setattr(watch, "sealed", lambda *_: says["sealed"])
    monkeypatch.setattr(watch, "counted", lambda *_: says["counted"])
    monkeypatch.setattr(watch, "offsets", lambda *_: Offsets({}, {0: says["kafka"]}))
    monkeypatch.setattr(watch.time, "sleep", lambda _: None)
    return says


@pytest.mark.parametrize(
    ("kafka", "landed", "athena", "missing"),
    [
        (0, SealedTotal(), CountedTotal(), "the first record in Kafka (DAG csv_to_kafka)"),
        (
            5,
            SealedTotal("m", 1, 0),
            CountedTotal(),
            "2 sealed minutes with records; 1 minutes with 0 records are (DAG kafka_to_s3)",
        ),
        (
            5,
            SealedTotal("m", 2, 5),
            CountedTotal(),
            "the first count in Athena (DAGs s3_to_catalog and catalog_to_counts)",
        ),
        (
            5,
            SealedTotal("m", 2, 5),
            CountedTotal("t", 3, 3),
            "Athena to count all 5 sealed records; it counts 3 (DAG catalog_to_counts)",
        ),
    ],
)
def test_where_nothing_fails_and_nothing_comes_the_last_line_says_what_it_was_waiting_for(
    stack: Stack, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch, kafka, landed, athena, missing
) -> None:
    monkeypatch.setattr(watch, "_PATIENCE", -1)
    figures |= {"kafka": kafka, "sealed": landed, "counted": athena}
    with pytest.raises(PartError) as caught:
        watch.watch(stack, [], BEGAN)
    assert str(caught.value).splitlines()[-1] == f"It was waiting for {missing}."


def test_a_failure_that_will_be_tried_again_stands_on_the_progress_line(
    stack: Stack, figures: dict[str, Any], api: list[Any], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(watch, "_PATIENCE", -1)
    api.append(told(state="up_for_retry"))
    with pytest.raises(PartError):
        watch.watch(stack, [], BEGAN)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.endswith("distinct       0 · csv_to_kafka.produce failed, is tried again (1 of 3)")


def test_it_ends_when_two_minutes_are_proven(stack: Stack, figures: dict[str, Any]) -> None:
    figures |= {"kafka": 5, "sealed": SealedTotal("m", 2, 5), "counted": CountedTotal("t", 5, 5)}
    watch.watch(stack, [], BEGAN)


def test_with_another_file_what_was_counted_of_the_last_one_is_no_end(
    stack: Stack, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures |= {"kafka": 5, "sealed": SealedTotal("m", 2, 5), "counted": CountedTotal("t", 5, 5)}
    runs = []
    monkeypatch.setattr(airflow_api.Api, "run", lambda _, *asked: runs.append(asked[0]))

    def more(_: float) -> None:
        figures.update(kafka=7, sealed=SealedTotal("m", 3, 7), counted=CountedTotal("t", 7, 7))

    monkeypatch.setattr(watch.time, "sleep", more)
    watch.watch(stack, [], BEGAN, fresh=True)
    assert figures["kafka"] == 7, "it has waited"
    assert runs == ["s3_to_catalog"], "the new columns are crawled at once"


@pytest.fixture
def running(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An Airflow that was started with a file; the parts that were stopped since."""
    stopped: list[str] = []

    def stop(parts: Any, grace: float = 0) -> None:
        stopped.extend(part.name for part in parts)

    for name in ("a.csv", "b.csv"):
        (stack.home.folder / name).touch()
    monkeypatch.chdir(stack.home.folder)
    monkeypatch.setenv("TICKLAKE_CSV", "a.csv")
    monkeypatch.setenv("TICKLAKE_CSV_KEY", "name")
    monkeypatch.setattr(airflow, "_commands", lambda: {"airflow-scheduler": ["sleep", "60"]})
    parts = airflow.start(stack)
    monkeypatch.setattr(airflow, "stop", stop)
    yield stopped
    monkeypatch.undo()
    airflow.stop(parts, grace=1)


@pytest.mark.parametrize(
    ("csv", "key", "stops"),
    [
        (None, None, False),
        ("a.csv", "name", False),
        ("b.csv", "name", True),
        ("a.csv", "id", True),
        ("a.csv", None, True),
        (None, "id", True),
    ],
)
def test_an_airflow_that_reads_another_file_than_the_one_asked_for_starts_again(
    stack: Stack, running: list[str], monkeypatch: pytest.MonkeyPatch, csv: str | None, key: str | None, stops: bool
) -> None:
    """With nothing asked for it is left as it is: a second `up` is harmless."""
    for name, value in (("TICKLAKE_CSV", csv), ("TICKLAKE_CSV_KEY", key)):
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    assert airflow.require_settings(stack) is stops
    assert running == ["airflow-scheduler"] * stops


def test_where_no_airflow_runs_there_is_nothing_to_stop(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKLAKE_CSV", __file__)
    assert not airflow.require_settings(stack)


def test_a_file_that_is_not_there_is_told_before_anything_starts(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKLAKE_CSV", "none.csv")
    with pytest.raises(SettingsError, match=r"^TICKLAKE_CSV: there is no /.*none\.csv\.$"):
        airflow.require_settings(stack)
