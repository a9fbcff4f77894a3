"""Lifecycle rules are really applied: of the template's, results and old versions go, and nothing else ever."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.provision import provision
from local.stack import AWS_LOGIN
from tests.local.aws.conftest import client
from tests.support.aws_stand_in import StandIn
from tests.support.waiting import wait_for

BUCKET = "kept"
FOR_EVER = (
    "raw/ticks/dt=2026-01-01/hr=10/1005-p00003-00000000000000000000-00000000000000000008.jsonl.gz",
    "manifests/ticks/dt=2026-01-01/1005.json",
    "rejected/ticks/dt=2026-01-01/hr=10/1005-p00003-00000000000000000000-00000000000000000008.jsonl.gz",
    "origins/ticks.json",
    "counts/ticks/totals.json",
    "reconciled/ticks/totals.json",
    "quarantine/raw/ticks/1005.jsonl.gz",
    "athena-results-of-somebody/1.csv",
)


SOMEBODYS = "somebodys"
RULES = [
    # A rule's own Prefix, which S3 still takes.
    {"ID": "older form", "Prefix": "temporary/", "Status": "Enabled", "Expiration": {"Days": 1}},
    {"ID": "tagged", "Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Status": "Enabled", "Expiration": {"Days": 1}},
    {"ID": "off", "Filter": {"Prefix": "off/"}, "Status": "Disabled", "Expiration": {"Days": 1}},
]
LANDED, LONG_LANDED, COUNTED = FOR_EVER[0], "raw/ticks/dt=2025-12-01/hr=00/long-landed.jsonl.gz", FOR_EVER[4]


class Lake:
    """A stand-in with objects of many ages: while it is down, its folder is told when each was written."""

    def __init__(self, folder: Path) -> None:
        self.process, self._folder = StandIn(folder), folder
        self._ages: dict[str, list[float]] = {}
        self.process.start()
        self.s3 = client(self.process.endpoint, "s3")

    def put(self, key: str, *days: float, bucket: str = BUCKET) -> None:
        """Write an object once for each age, the oldest first; its bytes are the age."""
        for age in days:
            self.s3.put_object(Bucket=bucket, Key=key, Body=str(age).encode())
        self._ages[f"{bucket}/{key}"] = list(days)

    def keys(self, bucket: str = BUCKET) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=bucket).get("Contents", ())]

    def versions(self, key: str) -> list[str]:
        """The bytes of an object's versions, the newest first."""
        found = self.s3.list_object_versions(Bucket=BUCKET, Prefix=key).get("Versions", ())
        bodies = [self.s3.get_object(Bucket=BUCKET, Key=key, VersionId=v["VersionId"])["Body"] for v in found]
        return [body.read().decode() for body in bodies]

    def start_aged(self) -> None:
        """Start with the ages, and return when the rules have been applied."""
        self.process.kill()
        for name, days in self._ages.items():
            (file,) = self._folder.glob(f"s3/*/{name}.meta.json")
            record = json.loads(file.read_text())
            for entry, age in zip(record.get("versions", ()), days, strict=False):  # a bucket may have no versions
                entry["last_modified"] = before(age)
            file.write_text(json.dumps(record | {"last_modified": before(days[-1])}))
        self.process.start()
        log = self._folder / "log"
        wait_for(lambda: "Lifecycle rules of" in log.read_text(), log.read_text)


def before(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    lake = Lake(tmp_path_factory.mktemp("kept"))
    provision(lake.process.endpoint, {"BucketName": BUCKET, "ResultsDays": "7"}, **AWS_LOGIN)
    for key in set(FOR_EVER) - {LANDED, COUNTED}:
        lake.put(key, 400)
    lake.put("athena-results/old.csv", 8.5)
    lake.put("athena-results/young.csv", 6)
    lake.put("athena-results/written-again.csv", 20, 3)
    for key in (LANDED, COUNTED):
        lake.put(key, 20, 3)
    lake.put(LONG_LANDED, 60, 40)
    lake.s3.create_bucket(Bucket=SOMEBODYS)
    lake.s3.put_bucket_lifecycle_configuration(Bucket=SOMEBODYS, LifecycleConfiguration={"Rules": RULES})
    for key in ("temporary/1", "raw/1", "off/1"):
        lake.put(key, 400, bucket=SOMEBODYS)
    lake.start_aged()
    yield lake
    lake.process.stop()


def test_results_go_after_their_days_and_nothing_else_however_old(lake: Lake) -> None:
    kept = ["athena-results/young.csv", "athena-results/written-again.csv", LONG_LANDED]
    assert lake.keys() == sorted([*FOR_EVER, *kept])


def test_results_leave_no_old_version_for_weeks(lake: Lake) -> None:
    assert lake.versions("athena-results/written-again.csv") == ["3"]


def test_what_is_written_each_minute_keeps_its_newest_version_only(lake: Lake) -> None:
    assert lake.versions(COUNTED) == ["3"]


def test_a_landed_object_can_be_restored_from_the_version_before_for_thirty_days(lake: Lake) -> None:
    """What Kafka no longer has is restored from there when an object is damaged: no other rule may be quicker."""
    assert lake.versions(LANDED) == ["3", "20"]
    assert lake.versions(LONG_LANDED) == ["40"]


def test_a_rule_in_the_older_form_is_for_its_prefix_only_and_one_that_is_off_for_nothing(lake: Lake) -> None:
    assert lake.keys(SOMEBODYS) == ["off/1", "raw/1"]


def test_a_rule_that_is_not_understood_removes_nothing_and_is_told_of(lake: Lake) -> None:
    assert "raw/1" in lake.keys(SOMEBODYS)
    assert "Lifecycle rule tagged is not applied" in (lake._folder / "log").read_text()


def test_what_went_stays_away_after_another_start(lake: Lake) -> None:
    kept = lake.keys()
    lake.process.kill()
    lake.process.start()
    assert lake.keys() == kept
