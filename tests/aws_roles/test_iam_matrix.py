"""Every role tries every action: what it needs is allowed, everything else is refused. The outcome is docs/security.md's table.

`UPDATE_DOCS=1` rewrites the table.
"""

import json
import os
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.home import PROJECT
from tests.aws_roles.conftest import ACTORS, TABLE, Clients, Cloud
from tests.support.waiting import wait_for

DOCUMENT = PROJECT / "docs" / "security.md"
_REFUSALS = {"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation"}
Probe = Callable[[Clients, str], Any]  # a role's clients; the name of bucket, database, crawler and workgroup
HOUR = "dt=2026-11-22/hr=09/"
VERSIONS: dict[tuple[str, str], str] = {}  # bucket, key -> id of the version that was written first


def read(key: str) -> Probe:
    return lambda c, own: c.s3.get_object(Bucket=own, Key=key)


def write(prefix: str) -> Probe:
    return lambda c, own: c.s3.put_object(Bucket=own, Key=f"{prefix}_probe-{uuid4().hex}", Body=b'{"Index":"HSI"}\n')


def delete(prefix: str) -> Probe:
    return lambda c, own: c.s3.delete_object(Bucket=own, Key=f"{prefix}_gone")


def erase(c: Clients, own: str) -> None:
    c.s3.delete_object(Bucket=own, Key=f"raw/{TABLE}/{HOUR}probe", VersionId="null")


def read_version(key: str) -> Probe:
    return lambda c, own: c.s3.get_object(Bucket=own, Key=key, VersionId=VERSIONS[own, key])


def versions(prefix: str) -> Probe:
    return lambda c, own: c.s3.list_object_versions(Bucket=own, Prefix=prefix)


def listing(prefix: str) -> Probe:
    return lambda c, own: c.s3.list_objects_v2(Bucket=own, Prefix=prefix)


def partition(c: Clients, own: str) -> None:
    c.glue.get_partition(DatabaseName=own, TableName=TABLE, PartitionValues=["2026-11-22", "09"])


def new_table(c: Clients, own: str) -> None:
    c.glue.create_table(DatabaseName=own, TableInput={"Name": f"t{uuid4().hex}"})


def new_columns(c: Clients, own: str) -> None:
    c.glue.update_table(DatabaseName=own, TableInput={"Name": TABLE})


def new_partition(c: Clients, own: str) -> None:
    storage = {"Location": f"s3://{own}/raw/{TABLE}/probe/"}
    value = {"Values": ["probe", uuid4().hex], "StorageDescriptor": storage}
    c.glue.batch_create_partition(DatabaseName=own, TableName=TABLE, PartitionInputList=[value])


def _ended(execution: dict[str, Any]) -> dict[str, Any] | None:
    status: dict[str, Any] = execution["QueryExecution"]["Status"]
    return None if status["State"] in ("QUEUED", "RUNNING") else status


def query(workgroup: str | None, table: str) -> Probe:
    def ask(c: Clients, own: str) -> None:
        started = c.athena.start_query_execution(
            QueryString=f"SELECT count(*) FROM {table} WHERE dt = '2026-11-22'",
            QueryExecutionContext={"Database": own},
            WorkGroup=workgroup or own,
            ResultConfiguration={"OutputLocation": f"s3://{own}/athena-results/"},
        )["QueryExecutionId"]
        status = wait_for(lambda: _ended(c.athena.get_query_execution(QueryExecutionId=started)))
        if status["State"] == "FAILED":
            code = "AccessDenied" if "not authorized" in status["StateChangeReason"] else "Failed"
            raise ClientError({"Error": {"Code": code, "Message": status["StateChangeReason"]}}, "query")
        c.athena.get_query_results(QueryExecutionId=started)

    return ask


# (what, on what, how, who may)
PROBES: tuple[tuple[str, str, Probe, set[str]], ...] = (
    ("s3:GetObject", "raw/", read(f"raw/{TABLE}/{HOUR}probe"), {"Landing", "Crawler", "Counts", "Reconcile"}),
    ("s3:PutObject", "raw/", write(f"raw/{TABLE}/{HOUR}"), {"Landing", "Reconcile"}),
    ("s3:DeleteObject", "raw/", delete(f"raw/{TABLE}/"), {"Landing", "Reconcile"}),
    ("s3:DeleteObjectVersion", "raw/", erase, set()),
    ("s3:GetObjectVersion", "raw/", read_version(f"raw/{TABLE}/{HOUR}probe"), {"Landing", "Reconcile"}),
    ("s3:ListBucketVersions", "raw/", versions(f"raw/{TABLE}/"), {"Landing", "Reconcile"}),
    ("s3:ListBucket", "raw/", listing(f"raw/{TABLE}/"), {"Landing", "Catalog", "Crawler", "Counts", "Reconcile"}),
    ("s3:GetObject", "raw/ of another table", read("raw/other/probe"), set()),
    ("s3:PutObject", "raw/ of another table", write("raw/other/"), set()),
    ("s3:GetObject", "rejected/", read(f"rejected/{TABLE}/probe"), {"Landing", "Reconcile", "Redrive"}),
    ("s3:GetObjectVersion", "rejected/", read_version(f"rejected/{TABLE}/probe"), {"Landing", "Reconcile"}),
    ("s3:ListBucketVersions", "rejected/", versions(f"rejected/{TABLE}/"), {"Landing", "Reconcile"}),
    ("s3:PutObject", "rejected/", write(f"rejected/{TABLE}/"), {"Landing", "Reconcile"}),
    ("s3:DeleteObject", "rejected/", delete(f"rejected/{TABLE}/"), {"Landing", "Reconcile"}),
    (
        "s3:GetObject",
        "manifests/",
        read(f"manifests/{TABLE}/probe"),
        {"Landing", "Counts", "Health", "Reconcile", "Redrive"},
    ),
    ("s3:GetObjectVersion", "manifests/", read_version(f"manifests/{TABLE}/probe"), set()),
    ("s3:PutObject", "manifests/", write(f"manifests/{TABLE}/"), {"Landing", "Reconcile"}),
    ("s3:DeleteObject", "manifests/", delete(f"manifests/{TABLE}/"), set()),
    (
        "s3:ListBucket",
        "manifests/",
        listing(f"manifests/{TABLE}/"),
        {"Landing", "Counts", "Health", "Reconcile", "Redrive"},
    ),
    ("s3:GetObject", "counts/", read(f"counts/{TABLE}/probe"), {"Counts"}),
    ("s3:PutObject", "counts/", write(f"counts/{TABLE}/"), {"Counts"}),
    ("s3:DeleteObject", "counts/", delete(f"counts/{TABLE}/"), set()),
    ("s3:PutObject", "quarantine/", write(f"quarantine/raw/{TABLE}/"), {"Reconcile"}),
    ("s3:DeleteObject", "quarantine/", delete(f"quarantine/raw/{TABLE}/"), set()),
    ("s3:PutObject", "reconciled/", write(f"reconciled/{TABLE}/"), {"Reconcile"}),
    ("s3:PutObject", "redriven/", write(f"redriven/{TABLE}/"), {"Redrive"}),
    ("s3:DeleteObject", "redriven/", delete(f"redriven/{TABLE}/"), set()),
    ("s3:GetObject", "athena-results/", read("athena-results/probe"), {"Counts", "Reconcile"}),
    ("s3:PutObject", "athena-results/", write("athena-results/"), {"Counts", "Reconcile"}),
    ("s3:GetObject", "the rest of the bucket", read("elsewhere/probe"), set()),
    ("s3:PutObject", "the rest of the bucket", write("elsewhere/"), set()),
    ("s3:GetObjectVersion", "the rest of the bucket", read_version("elsewhere/probe"), set()),
    ("s3:ListBucketVersions", "the rest of the bucket", versions("elsewhere/"), set()),
    ("s3:ListBucket", "the rest of the bucket", listing("elsewhere/"), set()),
    ("s3:PutBucketPolicy", "the bucket", lambda c, own: c.s3.put_bucket_policy(Bucket=own, Policy="{}"), set()),
    ("glue:StartCrawler", "the crawler", lambda c, own: c.glue.start_crawler(Name=own), {"Catalog", "Reconcile"}),
    ("glue:UpdateCrawler", "the crawler", lambda c, own: c.glue.update_crawler(Name=own, Role="x"), set()),
    ("glue:StartCrawler", "another crawler", lambda c, own: c.glue.start_crawler(Name="other"), set()),
    ("glue:GetPartition", "the table", partition, {"Catalog", "Crawler", "Counts", "Reconcile"}),
    ("glue:BatchCreatePartition", "the table", new_partition, {"Crawler"}),
    ("glue:UpdateTable", "the table", new_columns, {"Crawler"}),
    ("glue:CreateTable", "the database", new_table, set()),
    ("glue:DeleteTable", "the table", lambda c, own: c.glue.delete_table(DatabaseName=own, Name=TABLE), set()),
    ("glue:GetTable", "another table", lambda c, own: c.glue.get_table(DatabaseName=own, Name="other"), set()),
    ("athena:StartQueryExecution", "the table", query(None, TABLE), {"Counts", "Reconcile"}),
    ("athena:StartQueryExecution", "another table", query(None, "other"), set()),
    ("athena:StartQueryExecution", "another workgroup", query("primary", TABLE), set()),
)


@pytest.fixture(scope="module")
def outcomes(cloud: Cloud) -> dict[tuple[int, str], str]:
    """(number of the probe, actor) -> ``allowed`` or ``refused``, as AWS's API answered."""
    _prepare(cloud)
    actors = {actor: cloud.clients(actor) for actor in ACTORS}
    return {
        (number, actor): _outcome(probe, clients, cloud.name)
        for actor, clients in actors.items()
        for number, (_, _, probe, _) in enumerate(PROBES)
    }


def _prepare(cloud: Cloud) -> None:
    """What the probes read: an object in each zone, another table and its crawler."""
    s3, glue, own = cloud.root("s3"), cloud.root("glue"), cloud.name
    zones = [
        "raw/other/",
        f"rejected/{TABLE}/",
        f"manifests/{TABLE}/",
        f"counts/{TABLE}/",
        "athena-results/",
        "elsewhere/",
    ]
    for prefix in (f"raw/{TABLE}/{HOUR}", *zones):
        put = s3.put_object(Bucket=own, Key=f"{prefix}probe", Body=b'{"Index":"HSI"}\n')
        VERSIONS[own, f"{prefix}probe"] = put["VersionId"]
    table = glue.get_table(DatabaseName=own, Name=TABLE)["Table"]
    described = {k: table[k] for k in ("StorageDescriptor", "PartitionKeys", "Parameters", "TableType")}
    glue.create_table(DatabaseName=own, TableInput={"Name": "other", **described})
    location = {"Location": f"s3://{own}/raw/{TABLE}/{HOUR}"}
    hour = {"Values": ["2026-11-22", "09"], "StorageDescriptor": table["StorageDescriptor"] | location}
    for name in (TABLE, "other"):
        glue.create_partition(DatabaseName=own, TableName=name, PartitionInput=hour)
    crawler = glue.get_crawler(Name=own)["Crawler"]
    glue.create_crawler(
        Name="other", **{k: crawler[k] for k in ("Role", "DatabaseName", "Targets", "SchemaChangePolicy")}
    )


def _outcome(probe: Probe, clients: Clients, own: str) -> str:
    try:
        probe(clients, own)
    except ClientError as e:
        code = e.response["Error"]["Code"]
        if code in _REFUSALS:
            return "refused"
        if code == "CrawlerRunningException":
            return "allowed"
        raise
    return "allowed"


@pytest.mark.parametrize("actor", ACTORS)
def test_a_role_may_do_what_its_actor_needs_and_nothing_else(outcomes, actor):
    wrong = [
        f"{action} on {place}: {outcomes[number, actor]}"
        for number, (action, place, _, may) in enumerate(PROBES)
        if outcomes[number, actor] != ("allowed" if actor in may else "refused")
    ]
    assert wrong == []


def test_the_documented_matrix_is_what_was_run(outcomes):
    head = f"| action | on | {' | '.join(ACTORS)} |\n|---|---|{'---|' * len(ACTORS)}\n"
    shown = {"allowed": "**allowed**", "refused": "refused"}
    rows = [
        f"| `{action}` | {place} | {' | '.join(shown[outcomes[number, actor]] for actor in ACTORS)} |\n"
        for number, (action, place, _, _) in enumerate(PROBES)
    ]
    table = f"<!-- iam-matrix: written by tests/aws_roles -->\n{head}{''.join(rows)}<!-- /iam-matrix -->"
    document = DOCUMENT.read_text()
    wanted = re.sub(r"<!-- iam-matrix.*/iam-matrix -->", lambda _: table, document, flags=re.DOTALL)
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(wanted)
    assert document == wanted, "docs/security.md: write the IAM matrix again with UPDATE_DOCS=1 pytest tests/aws_roles"


def test_the_crawler_fails_in_words_when_its_role_may_not_read(cloud, outcomes):
    """The crawl works under the crawler's role, not under that of who starts it."""
    iam, glue, own = cloud.root("iam"), cloud.root("glue"), cloud.name
    role = cloud.outputs["CrawlerRoleArn"].rpartition("/")[2]
    policy = iam.get_role_policy(RoleName=role, PolicyName="crawl")["PolicyDocument"]
    lesser = policy | {"Statement": [s for s in policy["Statement"] if s["Sid"] != "ReadTable"]}
    cloud.root("s3").put_object(Bucket=own, Key=f"raw/{TABLE}/dt=2026-11-22/hr=08/new.jsonl", Body=b'{"a":1}\n')
    iam.put_role_policy(RoleName=role, PolicyName="crawl", PolicyDocument=json.dumps(lesser))
    try:
        glue.start_crawler(Name="other")
        wait_for(lambda: glue.get_crawler(Name="other")["Crawler"]["State"] == "READY")
        crawler = glue.get_crawler(Name="other")["Crawler"]
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="crawl", PolicyDocument=json.dumps(policy))
    assert crawler["LastCrawl"]["Status"] == "FAILED"
    assert "not authorized to perform: s3:GetObject" in crawler["LastCrawl"]["ErrorMessage"]
