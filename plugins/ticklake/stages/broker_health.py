"""Is the cluster fit to take records, and does landing keep up? Looks once, says it in a table."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from ticklake.clients.kafka_admin import KafkaAdmin
from ticklake.core.errors import LakeError
from ticklake.core.health import Finding, examine
from ticklake.core.minute import Minute
from ticklake.core.settings import Stream
from ticklake.core.text_table import text_table

log = logging.getLogger(__name__)


def look_at_cluster(
    admin: KafkaAdmin, stream: Stream, newest_sealed: Callable[[], Minute | None]
) -> tuple[Finding, ...]:
    """Create the topic if it is missing, examine the cluster, log the findings as a table and return them.

    Args:
        admin: view of the cluster.
        stream: what should be there.
        newest_sealed: reads the newest minute with a manifest. A lake that does not answer is a finding, no failure:
            Kafka may be well without it.

    Raises: KafkaError, when no broker answers.
    """
    facts = admin.look(stream)
    newest: Minute | LakeError | None
    try:
        newest = newest_sealed()
    except LakeError as e:
        newest = e
    findings = examine(facts, stream, newest, datetime.now(UTC))
    rows = [(f.level, f.subject, f"{f.seen} -> {f.remedy}" if f.remedy else f.seen) for f in findings]
    log.info("Kafka cluster %s\n%s", facts.cluster_id, text_table(("level", "subject", "seen -> remedy"), rows))
    return findings
