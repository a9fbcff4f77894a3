"""The provider's Kafka hooks, with the settings that the pipeline cannot do without laid over the connection's own."""

from __future__ import annotations

from typing import Any

from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook

from ticklake.clients.kafka.consumer import RecordConsumer
from ticklake.clients.kafka.settings import settings_of
from ticklake.core.settings.stream import Stream


class ReaderHook(KafkaConsumerHook):
    """A consumer that reads by offsets: nothing is committed or skipped on its own; ``get_conn`` is the client."""

    def __init__(self, connection: str, stream: Stream) -> None:
        super().__init__([stream.topic.name], kafka_config_id=connection)
        self._group = stream.landing.group

    def _get_client(self, config: dict[str, Any]) -> Any:
        with settings_of(self.kafka_config_id):
            return RecordConsumer(config, self._group, self.kafka_config_id)
