"""Ticklake: every minute of a Kafka topic lands in S3 exactly once, countable in Athena, and proven."""
