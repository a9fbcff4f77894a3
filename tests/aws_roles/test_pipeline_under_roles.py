"""The stages under exactly the template's roles: each role suffices for its actor."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from local.home import PROJECT
from tests.aws_roles.conftest import ROOT, TABLE
from ticklake.clients.athena import Athena
from ticklake.clients.kafka import READER_CONFIG, TopicReader
from ticklake.clients.kafka_admin import KafkaAdmin
from ticklake.clients.s3 import Lake
from ticklake.core.minute import Minute
from ticklake.core.settings import Stream
from ticklake.stages.catalog_to_counts import count_hour, queries
from ticklake.stages.kafka_to_s3 import Landing, land
from ticklake.stages.s3_to_catalog import check_hour
from ticklake.stages.sealed import newest_before


@pytest.fixture
def topic(kafka_bootstrap):
    name = f"t-{uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})  # kept: its calls end with it
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for n in range(50):
        producer.produce(name, f'{{"Index":"HSI","Close":{n}}}', "HSI")
    producer.produce(name, None, "HSI")  # rejected
    assert producer.flush(20) == 0
    return name


def test_landing_catalog_counts_and_health_each_under_its_own_role(cloud, kafka_bootstrap, topic):
    stream = Stream.from_toml(PROJECT / "include" / "streams" / "stock_ticks.toml")
    stream = replace(stream, topic=replace(stream.topic, name=topic))
    config = {"bootstrap.servers": kafka_bootstrap, **READER_CONFIG, "group.id": topic}
    reader = TopicReader(Consumer(config), topic)
    now = Minute.containing(datetime.now(UTC))
    landing = Landing(
        reader,
        Lake(cloud.clients("Landing").s3, cloud.name),
        stream,
        "run",
        KafkaAdmin({"bootstrap.servers": kafka_bootstrap}).topic_id(topic),
    )
    try:
        landed = land(landing, now.plus(-1), now.start)
        landed = land(landing, now, now.plus(1).start)
        again = land(landing, now, now.plus(1).start, force=True)
    finally:
        reader.close()
    assert sum(m.records for m in landed.manifests) == 50
    assert again.rewritten

    catalog, hour = cloud.clients("Catalog"), now.hour
    found = catalog.s3.list_objects_v2(Bucket=cloud.name, Prefix=f"raw/{TABLE}/dt={hour.dt}/hr={hour.hr}/")
    assert found["KeyCount"]
    catalog.glue.start_crawler(Name=cloud.name)
    while catalog.glue.get_crawler(Name=cloud.name)["Crawler"]["State"] != "READY":
        time.sleep(0.05)
    assert catalog.glue.get_crawler(Name=cloud.name)["Crawler"]["LastCrawl"]["Status"] == "SUCCEEDED"
    catalog.glue.get_crawler_metrics(CrawlerNameList=[cloud.name])
    check_hour(catalog.glue, cloud.name, TABLE, hour, cloud.name)

    counts = cloud.clients("Counts")
    athena = Athena(counts.athena, cloud.name, cloud.name, f"s3://{cloud.name}/athena-results/")
    counted = count_hour(
        Lake(counts.s3, cloud.name), athena, TABLE, queries(PROJECT / "include" / "sql" / "counts"), hour
    )
    assert (counted.tally.counted, counted.tally.proven) == (50, True)

    assert newest_before(Lake(cloud.clients("Health").s3, cloud.name), TABLE, now.plus(1), 1).minute == now


def test_a_connection_without_tls_is_refused(cloud):
    """The stand-in listens on TLS only, so that it is asked to believe that a proxy took plain HTTP."""
    s3 = cloud.clients("Landing").s3
    s3.meta.events.register(
        "before-sign.s3.*", lambda request, **_: request.headers.__setitem__("X-Forwarded-Proto", "http")
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=cloud.name, Prefix=f"raw/{TABLE}/")


def test_another_account_may_not_take_the_roles(cloud):
    other = boto3.client("sts", endpoint_url=cloud.endpoint, **ROOT | {"aws_access_key_id": "111122223333"})
    for actor in ("Landing", "Catalog", "Counts", "Produce", "Health"):
        with pytest.raises(ClientError, match="AccessDenied"):
            other.assume_role(RoleArn=cloud.outputs[f"{actor}RoleArn"], RoleSessionName="test")
