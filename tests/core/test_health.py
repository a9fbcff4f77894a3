from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ticklake.core.errors import KafkaError, LakeError
from ticklake.core.health import ClusterFacts, Finding, Level, PartitionFacts, examine, require_healthy, topic_config
from ticklake.core.minute import Minute
from ticklake.core.settings import Stream

STREAM = Stream.from_toml(Path("include/streams/stock_ticks.toml"))
NOW = datetime(2026, 11, 22, 10, 5, 30, tzinfo=UTC)
CLOSED = Minute.parse("2026-11-22T10:04")


def partition(n: int, **changes) -> PartitionFacts:
    return replace(PartitionFacts(n, 1, (1, 2, 3), (1, 2, 3), start=0, end=10, committed=10), **changes)


def facts(**changes) -> ClusterFacts:
    whole = ClusterFacts(
        cluster_id="c",
        brokers=(1, 2, 3),
        quorum_seconds=0.01,
        created=False,
        partitions=tuple(partition(n) for n in range(6)),
        config=topic_config(STREAM.topic, 3),
    )
    return replace(whole, **changes)


def with_partition(**changes) -> ClusterFacts:
    """Partition 0 changed, the others well."""
    return facts(partitions=(partition(0, **changes), *facts().partitions[1:]))


def find(subject: str, seen: ClusterFacts, newest: Minute | LakeError | None = CLOSED) -> Finding:
    (found,) = [f for f in examine(seen, STREAM, newest, NOW) if f.subject == subject]
    return found


def test_a_whole_cluster_gives_only_ok_and_passes():
    findings = examine(facts(), STREAM, CLOSED, NOW)
    assert {f.level for f in findings} == {Level.OK}
    assert not any(f.remedy for f in findings)
    require_healthy(findings)


def test_a_broker_that_holds_replicas_but_is_not_seen_is_named():
    found = find("brokers", facts(brokers=(1, 3)))
    assert (found.level, found.remedy) == (Level.WARNING, "Start broker 2.")
    assert found.seen.startswith("2 of 3 seen (1, 3)")


def test_fewer_brokers_than_copies_asked_for_is_a_warning():
    small = facts(brokers=(1,), partitions=tuple(partition(n, replicas=(1,), in_sync=(1,)) for n in range(6)))
    found = find("brokers", small)
    assert found.level is Level.WARNING
    assert "1 of 3 seen" in found.seen


def test_a_single_broker_cluster_of_the_stream_files_choice_can_be_healthy():
    small = facts(
        brokers=(1,),
        partitions=tuple(partition(n, replicas=(1,), in_sync=(1,)) for n in range(6)),
        config=topic_config(STREAM.topic, 1),
    )
    require_healthy(examine(small, STREAM, CLOSED, NOW))
    assert find("settings", small).level is Level.OK
    assert find("topic", small).level is Level.OK


def test_a_quorum_that_does_not_answer_is_a_failure():
    found = find("controller quorum", facts(quorum_seconds=None))
    assert found.level is Level.FAILURE
    assert found.remedy


def test_a_missing_topic_is_a_failure_and_nothing_is_said_about_its_inside():
    findings = examine(facts(partitions=(), config={}), STREAM, None, NOW)
    assert [f.subject for f in findings] == ["brokers", "controller quorum", "topic"]
    assert findings[-1].level is Level.FAILURE


def test_a_created_topic_is_told():
    assert "just created" in find("topic", facts(created=True)).seen


@pytest.mark.parametrize(("count", "remedy"), [(3, "--partitions 6"), (8, "write partitions = 8")])
def test_another_number_of_partitions_is_a_warning_with_the_way_out(count, remedy):
    found = find("topic", facts(partitions=tuple(partition(n) for n in range(count))))
    assert found.level is Level.WARNING
    assert remedy in found.remedy


def test_fewer_copies_than_brokers_allow_is_a_warning():
    found = find("topic", with_partition(replicas=(1,), in_sync=(1,)))
    assert found.level is Level.WARNING
    assert "reassign" in found.remedy


def test_an_under_replicated_partition_is_a_warning_while_it_takes_records():
    found = find("replicas", with_partition(in_sync=(1, 3)))
    assert found.level is Level.WARNING
    assert found.remedy == "Start broker 2, or wait until it has caught up."


def test_fewer_replicas_in_sync_than_min_insync_is_a_failure():
    found = find("replicas", with_partition(in_sync=(1,)))
    assert found.level is Level.FAILURE
    assert "take no records: 0" in found.seen


def test_a_partition_without_a_leader_is_a_failure():
    found = find("replicas", with_partition(leader=None, in_sync=()))
    assert found.level is Level.FAILURE
    assert found.seen == "partitions without a leader: 0"


def test_create_time_is_a_warning_that_explains_early_and_late():
    found = find("settings", facts(config={**facts().config, "message.timestamp.type": "CreateTime"}))
    assert found.level is Level.WARNING
    assert "early, late" in found.seen
    assert found.remedy.endswith("--add-config message.timestamp.type=LogAppendTime")


def test_each_setting_that_differs_is_a_warning_of_its_own():
    config = {**facts().config, "retention.ms": "1000", "min.insync.replicas": "1"}
    found = [f for f in examine(facts(config=config), STREAM, CLOSED, NOW) if f.subject == "settings"]
    assert [f.level for f in found] == [Level.WARNING, Level.WARNING]


def test_lag_counts_from_the_committed_offset_or_the_start_of_the_log():
    parts = (partition(0, committed=4), partition(1, committed=None, start=3), *facts().partitions[2:])
    assert find("lag of landing", facts(partitions=parts)).seen.startswith("13 records not yet landed")


def test_records_that_retention_removed_are_no_lag():
    assert find("lag of landing", with_partition(start=8, end=10, committed=2)).seen.startswith("2 records")


@pytest.mark.parametrize(("minutes", "level"), [(0, Level.OK), (2, Level.OK), (3, Level.WARNING), (90, Level.WARNING)])
def test_lag_in_minutes_warns_when_landing_is_not_punctual(minutes, level):
    found = find("lag of landing", facts(), CLOSED.plus(-minutes))
    assert found.level is level
    assert f"({minutes} behind)" in found.seen


def test_nothing_sealed_is_well_as_long_as_there_is_nothing_to_land():
    assert find("lag of landing", facts(), None).level is Level.OK
    assert find("lag of landing", with_partition(committed=None), None).level is Level.WARNING


def test_a_lake_that_does_not_tell_is_not_taken_for_an_empty_one():
    found = find("lag of landing", facts(), LakeError("S3 is away.", "Start it."))
    assert (found.level, found.remedy) == (Level.WARNING, "Start it.")
    assert "unknown: S3 is away." in found.seen


def test_a_committed_offset_beyond_the_end_tells_of_a_topic_made_anew():
    found = find("lag of landing", with_partition(committed=11))
    assert found.level is Level.WARNING
    assert "made anew" in found.remedy


def test_what_could_not_be_read_is_a_warning():
    found = find("unread", facts(unread=("offsets of group ticklake: timed out",)))
    assert (found.level, found.seen) == (Level.WARNING, "offsets of group ticklake: timed out")


def test_failures_are_listed_with_their_remedies_and_warnings_are_not():
    findings = examine(with_partition(leader=None, in_sync=()), STREAM, None, NOW)
    with pytest.raises(KafkaError) as error:
        require_healthy(findings)
    assert "replicas: partitions without a leader: 0. Start broker 1, 2, 3" in str(error.value)
    assert "lag" not in str(error.value)


def test_the_topics_settings_are_limited_by_the_brokers():
    assert [topic_config(STREAM.topic, n)["min.insync.replicas"] for n in (0, 1, 2, 5)] == ["1", "1", "2", "2"]


def test_a_finding_is_stored_as_plain_texts():
    assert Finding(Level.OK, "a", "b").to_dict() == {"level": "ok", "subject": "a", "seen": "b", "remedy": ""}
