"""Thin wrappers around Kafka, S3, Glue and Athena: the only modules that import confluent_kafka or boto3."""
