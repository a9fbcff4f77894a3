"""The assets that the DAGs hand to each other. Names, not URIs: an ``s3://`` URI costs half a second an import."""

from airflow.sdk import Asset

KAFKA_TOPIC = Asset(name="kafka_topic")
LANDED_MINUTES = Asset(name="landed_minutes")
CATALOGUED_HOURS = Asset(name="catalogued_hours")
COUNTED_HOURS = Asset(name="counted_hours")
RECONCILED_HOURS = Asset(name="reconciled_hours")
