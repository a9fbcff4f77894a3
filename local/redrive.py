"""`./ticklake redrive`: rejected records of the running stack produced again, told as it goes."""

from __future__ import annotations

import logging
import sys
from contextlib import closing
from datetime import UTC, datetime

from local.aws_stand_in import client
from local.processes import PartError
from local.stack import AWS, Stack
from ticklake.core.landing.minute_range import MinuteRange
from ticklake.core.settings.stream import Stream


def run(stack: Stack, first: str, last: str, reason: str, unfit: bool, dry_run: bool) -> int:
    """Produce them, print counts by reason; returns 0. Raises TicklakeError and PartError in words."""
    from ticklake.clients.aws.s3 import Lake
    from ticklake.clients.kafka.consumer import RecordConsumer, TopicReader
    from ticklake.clients.kafka.transactions import TransactionalProducer
    from ticklake.stages.rejected_to_kafka import Wanted, redrive

    minutes = MinuteRange.parse(first, last)
    minutes.require_over(datetime.now(UTC))
    wanted = Wanted(minutes.first, minutes.last, reason, unfit, dry_run)
    for part in (AWS, *(broker.name for broker in stack.brokers()[:1])):
        if not stack.alive(part):
            raise PartError(f"{part} does not run.", "Start the stack: ./ticklake up")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    stream = Stream.from_toml(stack.stream)
    kafka = stack.kafka("redrive")
    consumer = RecordConsumer(kafka, stream.landing.group)
    with closing(TopicReader(consumer, stream.topic.name)) as reader:
        lake = Lake(client(stack, "s3"), stack.bucket)
        redriven = redrive(lake, reader, stream, lambda name: TransactionalProducer(kafka, name), wanted)
    if wanted.dry_run:
        print(f"{redriven.sent} records would be sent to {stream.topic.name}; run it without --dry-run to send them")
    else:
        print(f"{redriven.sent} records sent to {stream.topic.name}")
    return 0
