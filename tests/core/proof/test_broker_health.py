from dataclasses import replace
from pathlib import Path

import pytest

from ticklake.core.errors import KafkaError
from ticklake.core.proof.broker_health import (
    Check,
    ClusterFacts,
    Level,
    PartitionFacts,
    examine,
    require_healthy,
    topic_config,
)
from ticklake.core.settings.stream import Stream

STREAM = Stream.from_toml(Path("include/streams/stock_ticks.toml"))


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


def find(subject: str, seen: ClusterFacts) -> Check:
    (found,) = [f for f in examine(seen, STREAM) if f.subject == subject]
    return found


def test_a_whole_cluster_gives_only_ok_and_passes():
    findings = examine(facts(), STREAM)
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
    require_healthy(examine(small, STREAM))
    assert find("settings", small).level is Level.OK
    assert find("topic", small).level is Level.OK


def test_a_quorum_that_does_not_answer_is_a_failure():
    found = find("controller quorum", facts(quorum_seconds=None))
    assert found.level is Level.FAILURE
    assert found.remedy


def test_a_missing_topic_is_a_failure_and_nothing_is_said_about_its_inside():
    findings = examine(facts(partitions=(), config={}), STREAM)
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
    found = [f for f in examine(facts(config=config), STREAM) if f.subject == "settings"]
    assert [f.level for f in found] == [Level.WARNING, Level.WARNING]


def test_what_could_not_be_read_is_a_warning():
    found = find("unread", facts(unread=("offsets of group ticklake: timed out",)))
    assert (found.level, found.seen) == (Level.WARNING, "offsets of group ticklake: timed out")


def test_failures_are_listed_with_their_remedies_and_warnings_are_not():
    findings = examine(with_partition(leader=None, in_sync=()), STREAM)
    with pytest.raises(KafkaError) as error:
        require_healthy(findings)
    assert "replicas: partitions without a leader: 0. Start broker 1, 2, 3" in str(error.value)
    assert "lag" not in str(error.value)


def test_the_topics_settings_are_limited_by_the_brokers():
    assert [topic_config(STREAM.topic, n)["min.insync.replicas"] for n in (0, 1, 2, 5)] == ["1", "1", "2", "2"]


def test_a_finding_is_stored_as_plain_texts():
    assert Check(Level.OK, "a", "b").to_dict() == {"level": "ok", "subject": "a", "seen": "b", "remedy": ""}
