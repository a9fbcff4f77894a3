"""Is the cluster fit to take records, and does landing keep up? Looks once, says it in a table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.minute import Minute
from ticklake.core.proof.broker_health import Check, examine
from ticklake.core.proof.landing_health import examine_landing
from ticklake.core.settings.stream import Stream
from ticklake.core.text_table import text_table
from ticklake.stages.manifest_store import manifest_of, newest_before

log = logging.getLogger(__name__)

_MINUTES = 10  # whose early and late records are reported: a look each minute sees each of them ten times


def look_at_cluster(
    admin: KafkaAdmin, stream: Stream, newest_sealed: Callable[[], Sequence[Manifest]]
) -> tuple[Check, ...]:
    """Create the topic if it is missing, examine the cluster, log the findings as a table and return them.

    Args:
        admin: view of the cluster.
        stream: what should be there.
        newest_sealed: reads some of the newest manifests, newest first. A lake that does not answer is a finding, no failure:
            Kafka may be well without it.

    Raises: KafkaError, when no broker answers.
    """
    sealed: Sequence[Manifest] | LakeError
    try:
        # Before the look: what is sealed meanwhile must not look as if it lay beyond the log's end.
        sealed = newest_sealed()
    except LakeError as e:
        sealed = e
    facts = admin.look(stream)
    findings = (*examine(facts, stream), *examine_landing(facts, stream, sealed, datetime.now(UTC)))
    rows = [(f.level, f.subject, f"{f.seen} -> {f.remedy}" if f.remedy else f.seen) for f in findings]
    log.info("Kafka cluster %s\n%s", facts.cluster_id, text_table(("level", "subject", "seen -> remedy"), rows))
    return findings


def newest_manifests(lake: Lake, table: str, before: Minute) -> tuple[Manifest, ...]:
    """The newest manifest before a minute and those of the nine minutes before it, newest first."""
    newest = newest_before(lake, table, before)
    if newest is None:
        return ()
    with ThreadPoolExecutor(_MINUTES - 1) as pool:
        others = pool.map(lambda n: manifest_of(lake, table, newest.minute.plus(-n)), range(1, _MINUTES))
    return (newest, *(m for m in others if m))
