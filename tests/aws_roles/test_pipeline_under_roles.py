"""The stages under exactly the template's roles: each role suffices for its actor."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from local.home import PROJECT
from tests.aws_roles.conftest import ACTORS, ROOT, TABLE
from tests.support.kafka import create_topics
from tests.support.landed import put_object
from ticklake.clients.aws.athena import Athena
from ticklake.clients.aws.glue import crawl
from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.clients.kafka.consumer import READER_CONFIG, TopicReader
from ticklake.clients.kafka.transactions import TransactionalProducer
from ticklake.core.landing.manifest import StoredObject
from ticklake.core.minute import Minute
from ticklake.core.proof.reconcile import Kind
from ticklake.core.settings.stream import Stream
from ticklake.stages.catalog_to_counts import count_hour, queries
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.kafka_to_s3.versions import put_back
from ticklake.stages.manifest_store import newest_before
from ticklake.stages.reconcile.hours import Sides, reconcile
from ticklake.stages.rejected_to_kafka import Wanted, redrive
from ticklake.stages.s3_to_catalog import check_hour

SQL = PROJECT / "include" / "sql"


@pytest.fixture
def topic(kafka_bootstrap):
    name = f"t-{uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})  # kept: its calls end with it
    create_topics(admin, NewTopic(name, 1, 1))
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for n in range(50):
        producer.produce(name, f'{{"Index":"HSI","Close":{n}}}', "HSI")
    producer.produce(name, None, "HSI")  # rejected
    assert producer.flush(60) == 0
    return name


@pytest.fixture
def landing_as(cloud, kafka_bootstrap, topic):
    """Landing with the bucket as a role sees it."""
    stream = Stream.from_toml(PROJECT / "include" / "streams" / "stock_ticks.toml")
    stream = replace(stream, topic=replace(stream.topic, name=topic))
    topic_id = KafkaAdmin({"bootstrap.servers": kafka_bootstrap}).topic_id(topic)
    readers = []

    def make(actor):
        config = {"bootstrap.servers": kafka_bootstrap, **READER_CONFIG, "group.id": topic}
        readers.append(TopicReader(Consumer(config), topic))
        return Landing(readers[-1], Lake(cloud.clients(actor).s3, cloud.name), stream, "run", topic_id)

    yield make
    for reader in readers:
        reader.close()


def test_each_stage_works_under_its_own_role(cloud, kafka_bootstrap, landing_as):
    now = Minute.containing(datetime.now(UTC))
    hour, later = now.hour, now.hour.plus(1).start
    landing = landing_as("Landing")
    land(landing, now.plus(-1), later)
    landed = land(landing, now, later)
    assert sum(m.records for m in landed.manifests) == 50
    assert land(landing, now, later, force=True).rewritten

    catalog = cloud.clients("Catalog")
    found = catalog.s3.list_objects_v2(Bucket=cloud.name, Prefix=f"raw/{TABLE}/dt={hour.dt}/hr={hour.hr}/")
    assert found["KeyCount"]
    crawl(catalog.glue, cloud.name)
    catalog.glue.get_crawler_metrics(CrawlerNameList=[cloud.name])
    check_hour(catalog.glue, cloud.name, TABLE, hour, cloud.name)

    counts = cloud.clients("Counts")
    lake = Lake(counts.s3, cloud.name)
    counted = count_hour(lake, athena(cloud, counts), TABLE, queries(SQL / "counts"), hour)
    assert (counted.tally.counted, counted.tally.proven) == (50, True)

    newest = newest_before(Lake(cloud.clients("Health").s3, cloud.name), TABLE, now.plus(1))
    assert newest is not None
    assert newest.minute == now

    # One object lost, one that nobody wrote, an hour that Athena does not know: all is repaired.
    root = Lake(cloud.root("s3"), cloud.name)
    root.delete([landed.manifests[-1].objects[0].key])
    put_object(root, TABLE, now, 5, 0, 3)
    cloud.root("glue").delete_partition(DatabaseName=cloud.name, TableName=TABLE, PartitionValues=[hour.dt, hour.hr])
    repairer = cloud.clients("Reconcile")
    partitions = (SQL / "reconcile" / "partitions.sql").read_text()
    sides = Sides(landing_as("Reconcile"), athena(cloud, repairer), partitions, repairer.glue, cloud.name, cloud.name)
    (result,) = reconcile(sides, [hour], later)
    assert len(result.repaired) == 3
    assert {f.kind for f in result.stays} <= {Kind.GAP}  # the hour's minutes to come

    redriver = landing_as("Redrive")
    wanted = Wanted(now, now, unfit=True, dry_run=False)
    sent = redrive(
        redriver.lake,
        redriver.reader,
        redriver.stream,
        lambda name: TransactionalProducer({"bootstrap.servers": kafka_bootstrap}, name),
        wanted,
    )
    assert sent.objects == 1


@pytest.mark.parametrize("actor", ["Landing", "Reconcile"])
def test_an_object_comes_back_from_the_buckets_versions_under_the_roles_of_landing_and_reconcile(cloud, actor):
    root = Lake(cloud.root("s3"), cloud.name)
    lake = Lake(cloud.clients(actor).s3, cloud.name)
    for zone in ("raw", "rejected"):
        body = json.dumps({"Index": f"{zone} {actor}"}).encode()  # a row: another test has this bucket crawled
        key = f"{zone}/{TABLE}/dt=2026-11-22/hr=07/{actor}"
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        root.put(key, body)
        root.delete([key])
        assert put_back(lake, StoredObject(key, 0, 0, 1, 1, len(body), checksum))
        assert root.get(key) == body


def athena(cloud, clients):
    return Athena(clients.athena, cloud.name, cloud.name, f"s3://{cloud.name}/athena-results/")


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
    for actor in (a for a in ACTORS if a != "Crawler"):
        with pytest.raises(ClientError, match="AccessDenied"):
            other.assume_role(RoleArn=cloud.outputs[f"{actor}RoleArn"], RoleSessionName="test")
