"""The README's commands on a stack of their own, Kafka secured: ticks in, minutes sealed, crawled, counted; every offset found
once in S3.

It takes some minutes, so the tests share one stack; it has a folder and ports of its own and is gone afterwards.
"""

import gzip
import itertools
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import requests
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from local.airflow_api import Api
from local.home import PROJECT, Home
from local.kafka_security import Security
from local.stack import Stack
from tests.support.ports import free_port_base
from tests.support.status_form import check_form
from tests.support.waiting import wait_for
from ticklake.core.landing.object_key import ObjectKey, manifest_key, reconciled_key
from ticklake.core.minute import Minute

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3600)]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The test's own; its tools are those that are installed already."""
    return Stack(Home(tmp_path_factory.mktemp("stack"), Home.from_env().tools, free_port_base()))


@pytest.fixture(scope="module")
def run(stack: Stack) -> Iterator[Run]:
    """Runs ``./ticklake …`` on the test's own stack."""
    env = {
        **os.environ,
        "TICKLAKE_HOME": str(stack.home.folder),
        "TICKLAKE_TOOLS": str(stack.home.tools),
        "TICKLAKE_PORT_BASE": str(stack.home.port_base),
    }

    def ticklake(*words: str, seconds: float = 900, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(PROJECT / "ticklake"), *words]
        return subprocess.run(command, env=env | more, capture_output=True, text=True, timeout=seconds, check=False)

    try:
        yield ticklake
    finally:
        ended = ticklake("down", "--wipe")
        assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def output(run: Run) -> str:
    """What the stack said while it came up and its first minutes were proven."""
    up = run("up", "--secure", seconds=1800)
    assert up.returncode == 0, up.stdout + up.stderr
    return up.stdout


def status(run: Run) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run("status", "--json").stdout)
    return answer


def test_up_shows_the_counts_until_two_minutes_are_proven_and_leaves_all_running(run: Run, output: str) -> None:
    assert "SELECT COUNT(*)" in output
    now = status(run)
    check_form(now)
    assert all(part["up"] for part in now["parts"]), now["parts"]
    assert now["sealed"]["minutes"] >= 2
    assert now["sealed"]["records"] > 0
    assert now["sealed"]["lost"] == 0
    assert now["counted"]["records"] == now["counted"]["distinct"] > 0


def test_nothing_of_it_listens_beyond_loopback(run: Run, output: str) -> None:
    found = [
        (process.name(), *connection.laddr)
        for part in status(run)["parts"]
        for process in [psutil.Process(part["pid"]), *psutil.Process(part["pid"]).children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(found) >= 8, "three brokers with two ports each, the AWS stand-in, the API server"
    assert [where for where in found if where[1].removeprefix("::ffff:") != "127.0.0.1"] == []


def test_up_again_is_harmless(run: Run, output: str) -> None:
    before = {part["name"]: part["pid"] for part in status(run)["parts"]}
    assert run("up").returncode == 0
    assert {part["name"]: part["pid"] for part in status(run)["parts"]} == before


@pytest.fixture(scope="module")
def crash(run: Run, output: str) -> dict[str, Any]:
    """The status before every process of the stack was killed by SIGKILL; `up` has brought it back since."""
    before = status(run)
    parts = {part["pid"] for part in before["parts"]}
    for process in [p for p in psutil.process_iter() if session(p.pid) in parts]:
        process.kill()
    assert run("status").returncode == 1
    again = run("up")
    assert again.returncode == 0, again.stdout + again.stderr
    return before


def session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def test_up_after_everything_was_killed_finds_all_data(run: Run, crash: dict[str, Any]) -> None:
    """What lies behind this test shows that it goes on: each offset is landed once, dags test, backfill, counts."""
    now = status(run)
    assert all(part["up"] for part in now["parts"]), now["parts"]
    assert not {part["pid"] for part in now["parts"]} & {part["pid"] for part in crash["parts"]}
    for partition, end in crash["kafka"]["end_offsets"].items():
        assert now["kafka"]["end_offsets"][partition] >= end
    for key in ("minutes", "records"):
        assert now["sealed"][key] >= crash["sealed"][key]
    assert now["counted"]["records"] >= crash["counted"]["records"] > 0


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT nonesuch FROM stock_ticks", "SELECT * FROM nowhere"])
def test_a_wrong_query_is_one_line_with_athenas_reason(run: Run, output: str, query: str) -> None:
    done = run("sql", query)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ticklake: Athena: ")
    assert done.stderr.count("\n") == 1


def test_redrive_writes_to_three_brokers_in_a_transaction_and_says_that_there_was_nothing_to_send(
    run: Run, output: str
) -> None:
    newest = status(run)["sealed"]["newest"]
    done = run("redrive", "--from", newest, "--to", newest)
    assert (done.returncode, done.stdout) == (0, "0 records sent to stock_ticks\n"), done.stderr
    assert "No rejected records." in done.stderr


def test_every_sealed_offset_lies_in_s3_exactly_once_with_its_value_unchanged(
    run: Run, stack: Stack, output: str
) -> None:
    now = status(run)
    s3, bucket = s3_client(now), now["aws"]["bucket"]

    def read(prefix: str) -> Iterator[bytes]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                yield s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()

    # Objects first: what is sealed meanwhile is then missing in the rows only behind the ends taken here.
    manifests = sorted((json.loads(body) for body in read("manifests/")), key=lambda m: m["minute"])
    rows = [json.loads(line) for body in read("raw/") for line in gzip.decompress(body).splitlines()]
    landed: dict[tuple[int, int], dict[str, Any]] = {}
    for row in rows:
        place = (row.pop("kafka_partition"), row.pop("kafka_offset"))
        row.pop("kafka_timestamp")
        assert place not in landed, f"{place} is there twice"
        landed[place] = row
    begins = {s["partition"]: s["start"] for s in manifests[0]["slices"]}
    ends = {s["partition"]: s["end"] for s in manifests[-1]["slices"]}
    for earlier, later in itertools.pairwise(manifests):
        assert [(s["partition"], s["end"]) for s in earlier["slices"]] == [
            (s["partition"], s["start"]) for s in later["slices"]
        ]
    produced = read_topic(stack.kafka(), now["kafka"]["topic"], begins, ends)
    assert {place: row for place, row in landed.items() if place[1] < ends[place[0]]} == produced
    assert len(produced) == sum(m["records"] for m in manifests) > 0


def s3_client(now: dict[str, Any]) -> Any:
    return boto3.client(
        "s3", endpoint_url=now["aws"]["endpoint"], region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def read_topic(
    kafka: dict[str, Any], topic: str, begins: dict[int, int], ends: dict[int, int]
) -> dict[tuple[int, int], dict[str, Any]]:
    """The topic's records between two sets of offsets, read by a plain consumer."""
    consumer = Consumer({**kafka, "group.id": "test", "enable.auto.commit": False})
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for partition, end in ends.items():
        consumer.assign([TopicPartition(topic, partition, begins[partition])])
        at = begins[partition]
        while at < end:
            for message in consumer.consume(500, timeout=0.5):
                assert message.error() is None
                at = (message.offset() or 0) + 1
                if at <= end:
                    found[partition, at - 1] = json.loads(message.value() or b"")
    consumer.close()
    return found


@pytest.mark.parametrize(
    ("dag", "conf", "env"),
    [
        ("broker_health", {}, {}),
        ("csv_to_kafka", {"seconds": 5}, {}),
        ("kafka_to_s3", {}, {}),
        ("kafka_to_s3", {}, {"TICKLAKE_LANDING_TASKS": "3"}),
        ("s3_to_catalog", {}, {}),
        ("catalog_to_counts", {}, {}),
        ("reconcile", {}, {}),
        ("reland", {"from": "2020-01-01T00:58", "to": "2020-01-01T01:01"}, {}),
    ],
)
def test_airflow_dags_test_passes(run: Run, output: str, dag: str, conf: dict[str, Any], env: dict[str, str]) -> None:
    pause(run, dag, True)  # or the stack's own scheduler takes the task out of the test's hands
    done = run("airflow", "dags", "test", dag, "-c", json.dumps(conf), **env)
    pause(run, dag, False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "state=success" in done.stdout + done.stderr


def pause(run: Run, dag: str, paused: bool) -> None:
    url = f"{status(run)['airflow']['url']}/api/v2/dags/{dag}"
    requests.patch(url, json={"is_paused": paused}, timeout=60).raise_for_status()


def test_a_backfill_of_past_minutes_seals_them(run: Run, output: str) -> None:
    first = Minute.parse(status(run)["sealed"]["newest"]).plus(-30)
    done = run(
        "airflow", "backfill", "create", "--dag-id", "kafka_to_s3", "--max-active-runs", "2",
        "--from-date", first.key, "--to-date", first.plus(1).key,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "graphviz" not in done.stdout + done.stderr, (
        "each call warned of a package that only `airflow dags show` needs"
    )
    before = status(run)["sealed"]["minutes"]
    wait_for(lambda: status(run)["sealed"]["minutes"] >= before + 2, "two minutes more", guard=900, pause=4)


def test_minutes_and_hours_run_again_by_clearing_by_backfill_and_by_rest_with_a_key(
    run: Run, stack: Stack, output: str
) -> None:
    now = status(run)
    s3, bucket, table = s3_client(now), now["aws"]["bucket"], now["aws"]["table"]
    newest = Minute.parse(now["sealed"]["newest"])
    hour, alone, last_hour = newest.hour, Minute(newest.hour.plus(-3).start), newest.hour.plus(-1)
    before = f"{last_hour}:55"  # the closed hour's end, which the table's own beginning follows
    lost = s3.list_objects_v2(Bucket=bucket, Prefix="raw/", MaxKeys=1)["Contents"][0]["Key"]
    first = ObjectKey.parse(lost).minute
    body = s3.get_object(Bucket=bucket, Key=lost)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=lost)

    def post(path: str, **document: Any) -> dict[str, Any]:
        answer = requests.post(f"{now['airflow']['url']}/api/v2/{path}", json=document, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    def states(dag: str, **wanted: str) -> list[str]:
        url = f"{now['airflow']['url']}/api/v2/dags/{dag}/dagRuns"
        answer = requests.get(url, params={"limit": "100", "order_by": "-run_after"}, timeout=60)
        if answer.status_code >= 500:
            return [f"{answer.status_code}: {answer.text}"]  # a busy moment: whoever waits looks again, or says so
        return [
            r["state"] for r in answer.json()["dag_runs"] if all(r[field] == value for field, value in wanted.items())
        ]

    # All are started before the first is waited for.
    by_key = post("dags/kafka_to_s3/dagRuns", logical_date=None, partition_key=alone.key)["dag_run_id"]
    ends = {"from": min(before, first.plus(-1).key), "to": first.plus(-1).key}
    by_range = post("dags/reland/dagRuns", logical_date=None, conf=ends)["dag_run_id"]
    for words in (
        ["dags", "clear", "kafka_to_s3", "--partition-key", first.key, "-y"],
        ["backfill", "create", "--dag-id", "s3_to_catalog", "--reprocess-behavior", "completed",
         "--from-date", f"{last_hour}:00", "--to-date", f"{hour}:00"],
    ):  # fmt: skip
        done = run("airflow", *words)
        assert done.returncode == 0, (words, (done.stdout + done.stderr)[-4000:])

    wait_until({"reland": ["success"]}, lambda: {"reland": states("reland", dag_run_id=by_range)}, stack)
    # As the UI's form asks for it; now that no offset lies between that hour and the table's beginning.
    closed = {"from_date": f"{last_hour}:00:00Z", "to_date": f"{last_hour}:59:00Z", "max_active_runs": 2}
    post(
        "backfills", dag_id="reconcile", reprocess_behavior="completed", run_backwards=False, dag_run_conf={}, **closed
    )
    wait_until(
        {"key": ["success"], "catalog": ["success"] * 2, "reconcile": ["success"], "object": True},
        lambda: {
            "key": states("kafka_to_s3", dag_run_id=by_key),
            "catalog": states("s3_to_catalog", run_type="backfill"),
            "reconcile": states("reconcile", run_type="backfill", partition_key=last_hour.key),
            "object": bool(s3.list_objects_v2(Bucket=bucket, Prefix=lost).get("Contents")),
        },
        stack,
    )
    assert s3.get_object(Bucket=bucket, Key=lost)["Body"].read() == body
    assert s3.head_object(Bucket=bucket, Key=manifest_key(table, alone))
    kept = json.loads(s3.get_object(Bucket=bucket, Key=reconciled_key(table, last_hour))["Body"].read())
    assert kept["minutes"] >= 5
    assert kept["stays"] == []


def wait_until(wanted: dict[str, Any], look: Callable[[], dict[str, Any]], stack: Stack, seconds: float = 900) -> None:
    """Look until it is as wanted; a run that failed, or the end of the patience, shows what differs."""
    found: dict[str, Any] = {}
    began = datetime.now(UTC)

    def reached() -> bool:
        nonlocal found
        found = look()
        if any("failed" in states for states in found.values() if isinstance(states, list)):
            attempts = Api(stack).failed_attempts(began)
            pytest.fail("\n".join([str(found), *(f"{a.name}, {a.log}:\n{a.words()}" for a in attempts)]))
        return found == wanted

    wait_for(reached, lambda: (found, wanted), guard=seconds, pause=4)


def test_after_the_crash_it_goes_on_counting(run: Run, crash: dict[str, Any]) -> None:
    """Each record is still counted once: those from before it, and new ones."""
    before = crash["counted"]["records"]
    wait_for(lambda: status(run)["counted"]["records"] > before, "a larger count", guard=900, pause=4)
    now = status(run)["counted"]
    assert now["records"] == now["distinct"]


def test_verify_finds_kafka_s3_and_athena_agreed_after_all_of_this(run: Run, crash: dict[str, Any]) -> None:
    # In the first moments of an hour Athena does not know it yet.
    wait_for(lambda: run("verify").returncode == 0, lambda: run("verify").stdout, guard=900, pause=4)
    verdict = json.loads(run("verify", "--json").stdout)
    assert verdict["rows"] == verdict["athena"]["count"] == verdict["athena"]["distinct"] > 0
    assert [verdict[name] for name in ("missing", "twice", "altered", "unknown", "misplaced", "lost")] == [0] * 6


def test_kafka_takes_nobody_without_a_password_and_a_stage_only_for_its_own(
    run: Run, stack: Stack, output: str
) -> None:
    plain = run("kafka", "topics", "--list", "--bootstrap-server", stack.bootstrap, "--command-config", os.devnull)
    assert plain.returncode != 0
    assert "stock_ticks" not in plain.stdout
    # Kafka's own topics come with the first commit, the first transaction.
    topics = run("kafka", "topics", "--list").stdout.split()
    assert [name for name in topics if not name.startswith("__")] == ["stock_ticks"]
    reader = AdminClient({**stack.kafka("landing"), "log_level": 0})
    with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED"):
        reader.delete_topics(["stock_ticks"])["stock_ticks"].result(60)


def test_no_secret_of_kafka_is_in_any_log_of_the_run(run: Run, stack: Stack, crash: dict[str, Any]) -> None:
    """Of the parts, of every task, and in Airflow's database; files that hold them are for their owner alone."""
    security = stack.security
    assert isinstance(security, Security)
    passwords = security.passwords()
    assert len(passwords) == 6
    folder = stack.home.folder
    logs = [file for part in ("logs", "airflow") for file in (folder / part).rglob("*") if file.is_file()]
    assert any("dag_id=kafka_to_s3" in str(file) for file in logs)
    assert {"kafka-1.log", "airflow-scheduler.log"} <= {file.name for file in logs}
    assert {file: user for file in logs for user in holders(file, passwords)} == {}
    kafka = [file for file in (folder / "kafka").rglob("*") if file.is_file()]
    holding = [file for file in kafka if holders(file, passwords)]
    assert holding
    assert [file for file in holding if file.stat().st_mode & 0o077] == []


def holders(file: Path, passwords: dict[str, str]) -> list[str]:
    """Whose passwords are in a file."""
    content = file.read_bytes()
    return [user for user, password in passwords.items() if password.encode() in content]


@pytest.mark.last
def test_down_leaves_nothing_running(run: Run, output: str) -> None:
    pids = [part["pid"] for part in status(run)["parts"]]
    assert run("down").returncode == 0
    assert [pid for pid in pids if pid and runs(pid)] == []


def runs(pid: int) -> bool:
    """Whether a process still does something: one that has ended and waits for its parent's look does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
