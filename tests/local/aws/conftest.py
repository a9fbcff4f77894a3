"""A lake of its own for each test, in the session's stand-in."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

import boto3
import pytest

from tests.support.waiting import wait_for

CONFIGURATION = {
    "Version": 1.0,
    "CrawlerOutput": {
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
    },
    "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas", "TableLevelConfiguration": 3},
}


def client(endpoint: str, service: str, key: str = "test", secret: str = "test") -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


class Lake:
    """A bucket, a database and a crawler over ``raw/ticks/``, and short ways to use them."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.s3, self.glue, self.athena = (client(endpoint, s) for s in ("s3", "glue", "athena"))
        self.name = f"lake{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.name)
        self.glue.create_database(DatabaseInput={"Name": self.name})
        self.glue.create_crawler(
            Name=self.name,
            Role="arn:aws:iam::000000000000:role/crawler",
            DatabaseName=self.name,
            Targets={"S3Targets": [{"Path": f"s3://{self.name}/raw/ticks/"}]},
            Configuration=json.dumps(CONFIGURATION),
        )

    def put(self, hour: str, name: str, *rows: Any) -> int:
        """Write rows (a text is a line as it is) as one object of ``2026-11-22``; returns its size."""
        lines = (r if isinstance(r, str) else json.dumps(r) for r in rows)
        body = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
        key = f"raw/ticks/dt=2026-11-22/hr={hour}/{name}.jsonl.gz"
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)
        return len(body)

    def crawl(self) -> dict[str, Any]:
        self.glue.start_crawler(Name=self.name)
        return self.crawled()

    def crawled(self) -> dict[str, Any]:
        wait_for(
            lambda: self.glue.get_crawler(Name=self.name)["Crawler"]["State"] == "READY", f"the crawl of {self.name}"
        )
        return dict(self.glue.get_crawler(Name=self.name)["Crawler"]["LastCrawl"])

    def columns(self) -> dict[str, str]:
        table = self.glue.get_table(DatabaseName=self.name, Name="ticks")["Table"]
        return {c["Name"]: c["Type"] for c in table["StorageDescriptor"]["Columns"]}

    def start(self, sql: str, **more: Any) -> str:
        request = {"ResultConfiguration": {"OutputLocation": f"s3://{self.name}/athena-results/"}, **more}
        context = {"Database": self.name, "Catalog": "AwsDataCatalog"}
        return str(
            self.athena.start_query_execution(QueryString=sql, QueryExecutionContext=context, **request)[
                "QueryExecutionId"
            ]
        )

    def ended(self, identity: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            execution: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=identity)["QueryExecution"]
            return None if execution["Status"]["State"] in ("QUEUED", "RUNNING") else execution

        return wait_for(look, f"the end of query {identity}", pause=0.01)

    def run(self, sql: str, **more: Any) -> dict[str, Any]:
        """The execution, ended."""
        return self.ended(self.start(sql, **more))

    def rows(self, sql: str, **more: Any) -> list[list[str | None]]:
        """The result's rows with the header; fails the test when the query failed."""
        execution = self.run(sql, **more)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        result = self.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        return [[d.get("VarCharValue") for d in row["Data"]] for row in result["ResultSet"]["Rows"]]

    def value(self, sql: str, **more: Any) -> str | None:
        """The one value of a result."""
        _, (value,) = self.rows(sql, **more)
        return value

    def reason(self, sql: str, **more: Any) -> str:
        """Why the query failed; fails the test when it did not."""
        status = self.run(sql, **more)["Status"]
        assert status["State"] == "FAILED", status
        assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]
        return str(status["StateChangeReason"])


@pytest.fixture
def lake(aws_endpoint: str) -> Lake:
    return Lake(aws_endpoint)
