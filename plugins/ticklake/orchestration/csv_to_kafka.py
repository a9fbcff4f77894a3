"""The producer as an Airflow operator, and its Trigger form."""

from __future__ import annotations

from threading import Event
from typing import Any

from airflow.sdk import BaseOperator, Param

from ticklake.orchestration.checked import checked_settings, fails_at_once

PARAMS = {
    "mode": Param(
        "sample",
        enum=["sample", "replay"],
        title="Mode",
        description="sample: random rows. replay: the file's rows in order.",
    ),
    "rate": Param(
        1,
        type="number",
        minimum=0,
        maximum=1_000_000,
        title="Rate",
        description="Records a second; 0: as fast as possible.",
    ),
    "seconds": Param(3600, type="number", minimum=1, maximum=604_800, title="Run length", description="In seconds."),
    "seed": Param(
        None,
        type=["null", "integer"],
        title="Seed",
        description="Of sample: the same seed, the same rows. Empty: others each time.",
    ),
    "endless": Param(
        False, type="boolean", title="Endless", description="Of replay: begin again at the end of the file."
    ),
    "record": Param(
        None,
        type=["null", "object"],
        title="Record",
        description='One row to send instead, {"Index": "HSI", "Date": "2021-05-31"}.',
    ),
}


class CsvToKafkaOperator(BaseOperator):
    """Write the file's rows to the stream's topic as the run's Params say; ends within 2 s when the task is stopped.

    Returns (XCom): ``{"records", "per_partition", "seconds", "blank_rows", "short_rows"}``, as confirmed by Kafka.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._stop = Event()

    @fails_at_once
    def execute(self, context: Any) -> dict[str, Any]:
        """Produce; wrong Params, and a file that cannot be read, fail the task at once, without retries."""
        from ticklake.orchestration.cluster_hooks import RecordProducerHook
        from ticklake.stages.csv_to_kafka import ProducerRun, produce_csv

        settings, stream = checked_settings(context, "kafka_produce")
        run = ProducerRun.from_params(context["params"])
        ti = context["ti"]

        def another_waits() -> bool:
            # A continuous DAG has one run at a time: without this, a run started by hand would wait for hours.
            return bool(ti.get_dr_count(dag_id=self.dag_id, states=["queued"]))

        producer = RecordProducerHook(settings.kafka_produce).get_conn
        return produce_csv(producer, stream, settings.csv, run, self._stop, another_waits, settings.csv_key).to_dict()

    def on_kill(self) -> None:
        """Called while ``execute`` runs, when the task is stopped from outside; Airflow kills the process 5 s later."""
        self._stop.set()
