"""Kafka: the only package that imports confluent_kafka. It reads and writes; what belongs to a minute is decided in `core`."""
