"""Replays a file into a topic, in a process of its own: time and memory are those of the task. Prints a line of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks._common import Run, measured


def run(**settings: Any) -> Run:
    """Replay in a child process: ``bootstrap``, ``topic``, ``file``, ``seconds``, ``endless``."""
    whole, text = measured([sys.executable, "-m", "benchmarks._produce_once", json.dumps(settings)], 1)
    told: dict[str, Any] = json.loads(text.splitlines()[-1])
    return Run(told["records"], told["seconds"], whole.cpu_seconds, whole.peak_mib)


def main() -> None:
    """The child."""
    from pathlib import Path
    from threading import Event

    from ticklake.clients.kafka.producer import RecordProducer
    from ticklake.core.settings.stream import LandingSettings, Stream, TableSettings, TopicSettings
    from ticklake.stages.csv_to_kafka import ProducerRun, produce_csv

    asked = json.loads(sys.argv[1])
    stream = Stream(
        TopicSettings(asked["topic"], 1, 1, 1, 168), TableSettings("ticks", "Index"), LandingSettings("g", 64, 1440)
    )
    params = {"mode": "replay", "rate": 0, "seconds": asked["seconds"], "endless": asked["endless"]}
    producer = RecordProducer({"bootstrap.servers": asked["bootstrap"]})
    produced = produce_csv(producer, stream, Path(asked["file"]), ProducerRun.from_params(params), Event())
    print(json.dumps({"records": produced.records, "seconds": produced.seconds}))


if __name__ == "__main__":
    main()
