"""What `./ticklake verify --connections` compares: a deployment, by its Airflow connections and environment, AWS included.

The connections are reconcile's, whose role and user may read all that there is to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow.providers.amazon.aws.hooks.athena import AthenaHook
from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook

from ticklake.clients.aws.athena import Athena, Question
from ticklake.clients.kafka.msk_iam import with_tokens
from ticklake.core.errors import KafkaError
from ticklake.core.landing.object_key import ATHENA_RESULTS
from ticklake.core.settings.environment import Settings
from ticklake.core.settings.stream import Stream
from ticklake.orchestration.checked import checked_connections
from ticklake.orchestration.lake_hook import LakeHook
from ticklake.verify.source import Compared


class _ClientSettings(KafkaConsumerHook):
    """``get_conn`` is librdkafka's settings of the connection: the proof makes its own client of them."""

    def _get_client(self, config: dict[str, Any]) -> Any:
        return with_tokens(config, _no_token)


def compared(settings: Settings, stream: Stream) -> Compared:
    """The topic, the bucket and the table; raises SettingsError for what is wrong in a connection."""
    checked_connections(settings, "aws_reconcile", "kafka_reconcile")
    kafka = _ClientSettings([stream.topic.name], kafka_config_id=settings.kafka_reconcile).get_conn
    s3 = LakeHook(aws_conn_id=settings.aws_reconcile).get_conn()
    return Compared({**kafka, "log_level": 0}, stream.topic.name, s3, settings.bucket, stream.table.name)


def asker(settings: Settings) -> Callable[[str], Sequence[Sequence[Any]]]:
    """Runs a statement in the workgroup and returns its rows; raises LakeError with Athena's reason."""
    athena = Athena(
        AthenaHook(aws_conn_id=settings.aws_reconcile).get_conn(),
        settings.glue_database,
        settings.workgroup,
        f"s3://{settings.bucket}/{ATHENA_RESULTS}/",
    )
    return lambda sql: athena.ask({"verify": Question(sql)})["verify"].rows


def _no_token(error: Exception) -> None:
    raise KafkaError(f"There is no token for Kafka: {error}.") from error
