"""The provider's admin and producer hooks, building this project's clients from the connection.

Imported by tasks when they run, never by DAG files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.apache.kafka.hooks.client import KafkaAdminClientHook
from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook

from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.clients.kafka.producer import RecordProducer
from ticklake.clients.kafka.settings import settings_of
from ticklake.clients.kafka.transactions import TransactionalProducer


class ClusterHook(KafkaAdminClientHook):
    """``get_conn`` is a KafkaAdmin."""

    def _get_client(self, config: Mapping[str, Any]) -> Any:
        with settings_of(self.kafka_config_id):
            return KafkaAdmin(config, self.kafka_config_id)


class RecordProducerHook(KafkaProducerHook):
    """``get_conn`` is a RecordProducer: the settings that exactness needs lie over those of the connection."""

    def _get_client(self, config: Mapping[str, Any]) -> Any:
        with settings_of(self.kafka_config_id):
            return RecordProducer(config, self.kafka_config_id)


class TransactionalProducerHook(KafkaProducerHook):
    """``get_conn`` is a TransactionalProducer: the only one of its transactional id from then on."""

    def __init__(self, kafka_config_id: str, transactional_id: str) -> None:
        super().__init__(kafka_config_id)
        self._transactional_id = transactional_id

    def _get_client(self, config: Mapping[str, Any]) -> Any:
        with settings_of(self.kafka_config_id):
            return TransactionalProducer(config, self._transactional_id, self.kafka_config_id)
