"""The one-time provisioning, on the stand-in: from the pipeline's own connection and names."""

import json
import logging
import uuid

import boto3
import pytest

from local.compose.provision import main


def environment(endpoint: str | None) -> dict[str, str]:
    extra = {"region_name": "us-east-1"} | ({"endpoint_url": endpoint} if endpoint else {})
    connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    name = f"c{uuid.uuid4().hex[:10]}"
    return {
        "AIRFLOW_CONN_TICKLAKE_AWS": json.dumps(connection),
        "TICKLAKE_BUCKET": name,
        "TICKLAKE_GLUE_DATABASE": name,
        "TICKLAKE_CRAWLER": name,
        "TICKLAKE_WORKGROUP": name,
    }


def test_what_the_pipeline_names_is_there_afterwards(aws_endpoint: str) -> None:
    env = environment(aws_endpoint)
    assert main(env) == 0
    login = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    boto3.client("s3", endpoint_url=aws_endpoint, **login).head_bucket(Bucket=env["TICKLAKE_BUCKET"])
    boto3.client("glue", endpoint_url=aws_endpoint, **login).get_crawler(Name=env["TICKLAKE_CRAWLER"])


def test_a_connection_to_aws_itself_is_refused_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert main(environment(None)) == 1
    assert "COMPOSE_PROFILES" in caplog.text
