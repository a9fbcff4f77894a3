"""A lake with a catalog of its own: bucket, Glue database, crawler over ``raw/``."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config

from tests.support.waiting import wait_for
from ticklake.clients.aws.athena import Athena
from ticklake.clients.aws.s3 import Lake

TABLE = "ticks"


@dataclass(frozen=True)
class Catalogued:
    """The bucket, the database and the crawler have the same name."""

    name: str
    lake: Lake
    glue: Any
    athena: Athena
    athena_client: Any

    def crawl(self) -> None:
        self.glue.start_crawler(Name=self.name)
        self.wait_for_crawl()

    def wait_for_crawl(self) -> None:
        wait_for(
            lambda: self.glue.get_crawler(Name=self.name)["Crawler"]["State"] == "READY", f"the crawl of {self.name}"
        )


def new_lake(endpoint: str) -> Catalogued:
    def client(service: str) -> Any:
        credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=endpoint, config=Config(max_pool_connections=20), **credentials)

    s3, glue, athena = client("s3"), client("glue"), client("athena")
    name = f"t{uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name)
    glue.create_database(DatabaseInput={"Name": name})
    glue.create_crawler(
        Name=name,
        Role="arn:aws:iam::000000000000:role/crawler",
        DatabaseName=name,
        Targets={"S3Targets": [{"Path": f"s3://{name}/raw/{TABLE}/"}]},
    )
    output = f"s3://{name}/athena-results/"
    return Catalogued(name, Lake(s3, name), glue, Athena(athena, name, "primary", output), athena)
