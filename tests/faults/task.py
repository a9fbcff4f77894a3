"""Landing in a process of its own, as a task is: started, killed, stopped and woken from outside.

The processes are forked from a server that has imported everything, so that hundreds of them cost seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.config import Config
from confluent_kafka import Consumer

from tests.support.waiting import let_pass
from ticklake.clients.aws.s3 import Lake, patient
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.clients.kafka.consumer import READER_CONFIG, TopicReader
from ticklake.core.errors import TicklakeError
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import Stream
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing

LOGIN = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
_TRIES = 8


@dataclass(frozen=True)
class Order:
    """One landing: where from, where to, which minute, at what time by the worker's clock.

    ``patience`` is the S3 client's ``config_kwargs``, as the connection would give them; with ``disk_full`` the process cannot
    write a byte to any file.
    """

    bootstrap: str
    stream: Stream
    endpoint: str
    bucket: str
    minute: Minute
    now: datetime
    run_id: str = "trial"
    force: bool = False
    patience: Mapping[str, Any] = field(default_factory=dict)
    disk_full: bool = False


def client(endpoint: str, service: str = "s3", **patience: Any) -> Any:
    """A client as the pipeline's tasks have it."""
    return boto3.client(service, endpoint_url=endpoint, **LOGIN, config=patient(Config(**patience)))


# Made once in the server: reading boto3's models costs more than a whole landing.
_warm = client("http://127.0.0.1:9")


def carry_out(order: Order) -> int:
    """What the task of `kafka_to_s3` does, without Airflow: returns how many minutes it landed or found."""
    lake = Lake(client(order.endpoint, **order.patience), order.bucket)
    kafka = {"bootstrap.servers": order.bootstrap, "log_level": 0}
    topic = order.stream.topic.name
    reader = TopicReader(Consumer({**kafka, **READER_CONFIG, "group.id": order.stream.landing.group}), topic)
    try:
        topic_id = KafkaAdmin(kafka).topic_id(topic)
        landing = Landing(reader, lake, order.stream, order.run_id, topic_id, clock=lambda: order.now)
        return len(land(landing, order.minute, order.now, force=order.force).manifests)
    finally:
        reader.close()


def _main(order: Order, answer: Connection) -> None:
    if order.disk_full:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        answer.send((True, str(carry_out(order)), ""))
    except TicklakeError as e:
        answer.send((False, str(e), type(e).__name__))
    except Exception as e:
        answer.send((False, f"not in words: {e!r}", type(e).__name__))


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: its words, the error's class; ``killed`` when it never came to say anything."""

    done: bool
    words: str = ""
    error: str = ""
    killed: bool = False


class Task:
    """A running attempt."""

    def __init__(self, order: Order) -> None:
        self.order = order
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._answer, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_main, args=(order, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def signal(self, which: signal.Signals) -> None:
        """SIGKILL, SIGSTOP or SIGCONT; nothing when it has ended."""
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, which)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)

    def wait(self, seconds: float = 300) -> Ended:
        """Its end."""
        said: tuple[bool, str, str] | None = None
        try:
            if not self._answer.poll(seconds):
                self.kill()
                return Ended(False, f"hung for {seconds:.0f} s", "Hung")
            said = self._answer.recv()
        except (EOFError, ConnectionError):
            said = None
        self._process.join(60)
        self._process.close()
        return Ended(*said) if said else Ended(False, "killed", "Killed", killed=True)


def until_done(order: Order, tries: int = _TRIES, pause: float = 0.5) -> list[Ended]:
    """Attempts as Airflow makes them, with shorter pauses: until one succeeds, or loses offsets, which no retry heals."""
    ends: list[Ended] = []
    for n in range(tries):
        ends.append(Task(replace(order, run_id=f"{order.run_id}-{n + 1}")).wait())
        if ends[-1].done or ends[-1].error == "LostOffsetsError":
            break
        let_pass(pause)
    return ends
