"""`./ticklake up`: everything is set up and started side by side, then watched until two minutes are proven."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import psutil

from local import airflow, airflow_api, aws_stand_in
from local.kafka_security import grant
from local.lock import one_at_a_time
from local.login import USER
from local.processes import Part
from local.provision import provision
from local.stack import AWS_LOGIN, Stack
from local.terminal import complain, doing, elapsed, say
from local.watch import watch
from ticklake.core.settings.environment import keep_days
from ticklake.core.settings.stream import Stream


def up(stack: Stack, brokers: int | None, wait: bool, login: bool | None = None, secure: bool = False) -> int:
    """Start what does not run, wait until minutes are sealed and counted, leave it running. Returns the exit code."""
    try:
        with one_at_a_time(stack.home.folder, "starting the parts"):
            airflow.require_login(stack, login)
            fresh = airflow.require_settings(stack)
            keep_days()  # a wrong one is an error before anything starts
            stack.check_ports(brokers)
            stack.claim_cluster(brokers, secure)
            began = datetime.now(UTC)
            parts = start_all(stack, brokers)
        if wait:
            watch(stack, parts, began, fresh)
        _farewell(stack)
    except KeyboardInterrupt:
        _end_helpers()
        running = [part.name for part in stack.parts.all() if part.alive()]
        complain(
            f"stopped by Ctrl-C. Running: {', '.join(running) or 'nothing'}. "
            "Go on with ./ticklake up, look with ./ticklake status, stop all with ./ticklake down."
        )
        sys.stdout.flush()
        os._exit(130)  # The threads that wait for a part are of no use any more, and cannot be told.
    return 0


def start_all(stack: Stack, brokers: int | None) -> list[Part]:
    """Start Kafka, the AWS stand-in and Airflow side by side, then the DAGs; returns the parts, all ready."""
    groups = _side_by_side(
        [lambda: _start_kafka(stack, brokers), lambda: _start_aws(stack), lambda: _start_airflow(stack)]
    )
    api = airflow_api.Api(stack)
    with doing("waiting until Airflow knows the DAGs"):
        dags = api.start_dags()
    say(f"DAGs run: {', '.join(dags)}")
    return [part for group in groups for part in group]


def _start_kafka(stack: Stack, brokers: int | None) -> list[Part]:
    cluster = stack.cluster(brokers)
    with doing("starting Kafka"):
        parts = cluster.start(stack.parts)
        cluster.wait(parts)
        if cluster.security:
            grant(cluster.client(), Stream.from_toml(stack.stream))
    kind = ", TLS and passwords" * bool(cluster.security)
    say(f"Kafka is up: {len(parts)} broker{'s' * (len(parts) > 1)} at {cluster.bootstrap}{kind}")
    return parts


def _start_aws(stack: Stack) -> list[Part]:
    part = aws_stand_in.start(stack)
    with doing("starting the AWS stand-in"):
        aws_stand_in.wait(stack, part)
    table = Stream.from_toml(stack.stream).table.name
    parameters = {
        "BucketName": stack.bucket,
        "DatabaseName": stack.database,
        "TableName": table,
        "CrawlerName": stack.crawler,
        "WorkgroupName": stack.workgroup,
        "ResultsDays": str(keep_days()),
    }
    with doing("provisioning bucket, Glue and Athena"):
        provision(stack.home.aws_endpoint, parameters, **AWS_LOGIN)
    say(f"AWS stand-in is up and provisioned: bucket {stack.bucket}, Glue, Athena at {stack.home.aws_endpoint}")
    return [part]


def _start_airflow(stack: Stack) -> list[Part]:
    with doing("making Airflow's database"):
        airflow.prepare(stack)
    parts = airflow.start(stack)
    with doing("starting Airflow"):
        airflow.wait(stack, parts)
    say(f"Airflow is up: {stack.home.airflow_url}")
    return [*parts, airflow.start_housekeeper(stack)]


def _end_helpers() -> None:
    """End the programs that prepare the parts, such as a migration; the parts lead sessions of their own and go on."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(child.pid) == os.getsid(0):
                child.terminate()


def _side_by_side(jobs: Sequence[Callable[[], list[Part]]]) -> list[list[Part]]:
    """Results of the jobs; the first error is raised at once, while the others are left to themselves."""
    done: queue.Queue[tuple[int, list[Part] | BaseException]] = queue.Queue()

    def run(number: int, job: Callable[[], list[Part]]) -> None:
        try:
            done.put((number, job()))
        except BaseException as e:
            done.put((number, e))

    for number, job in enumerate(jobs):
        # A daemon does not keep the launcher from ending on an error or on Ctrl-C.
        threading.Thread(target=run, args=(number, job), daemon=True).start()
    results: dict[int, list[Part]] = {}
    while len(results) < len(jobs):
        number, result = done.get()
        if isinstance(result, BaseException):
            raise result
        results[number] = result
    return [results[n] for n in range(len(jobs))]


def _farewell(stack: Stack) -> None:
    stream = Stream.from_toml(stack.stream)
    look = f"./ticklake kafka console-consumer --topic {stream.topic.name} --from-beginning --max-messages 3"
    print(f"\nRunning after {elapsed():.0f} s, until ./ticklake down\n")
    login = airflow_api.login_of(stack)
    for what, where in (
        ("Airflow's UI", stack.home.airflow_url),
        *((("its login", f"{USER}, with the password in {login.file}"),) if login.on else ()),
        ("what is landed", "./ticklake status"),
        ("ask Athena", f"./ticklake sql 'SELECT COUNT(*) FROM {stream.table.name}'"),  # noqa: S608
        ("look into Kafka", look),
        ("logs of the parts", stack.home.logs),
    ):
        print(f"  {what:<19} {where}")
