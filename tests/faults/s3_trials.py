"""S3 fails: each kind of fault at each operation, once or for a while; and refuses, as when something is not set up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tests.faults.lab import MINUTE, Place, Trial
from tests.faults.task import Ended
from tests.support.faulty_s3 import ANY, KINDS, OPERATIONS, REFUSALS, Fault
from ticklake.core.landing.object_key import RAW, ObjectKey

_ONCE, _WHILE = 1, 8  # the client tries six times: then the task fails, and its next attempt meets the rest
# How many requests of an operation the scene makes at least: the fault strikes any of them.
_REQUESTS = {"object put": 3, "head": 3, "list": 2, "get": 3}


def failing(kind: str, operation: str, times: int) -> Trial:
    """One minute lands, the next meets the fault, then the first is cleared with an object missing."""

    def run(place: Place) -> tuple[Sequence[Ended], Sequence[str]]:
        place.send(6, MINUTE.start_ms)
        place.send(6, MINUTE.plus(1).start_ms)
        fault = Fault(kind, operation, times, place.random.randrange(_REQUESTS.get(operation, 1)))
        if operation == "origin put":
            place.proxy.arm(fault)
        ends = place.land(MINUTE)
        if operation != "origin put":
            place.proxy.arm(fault)
        leftover = ObjectKey(RAW, place.topic, MINUTE.plus(1), 0, 2, 3)
        place.s3.put_object(Bucket=place.bucket, Key=str(leftover), Body=b"half")
        ends += place.land(MINUTE.plus(1))
        place.s3.delete_object(Bucket=place.bucket, Key=place.keys(f"{RAW}/")[0])
        ends += place.land(MINUTE)
        return ends, [] if place.proxy.hits else ["the fault never struck"]

    return Trial(
        f"S3: {kind}", f"{operation}, {'once' if times == _ONCE else 'for a while'}", run,
        slow=times != _ONCE or kind == "stall", stalls=kind == "stall",
    )  # fmt: skip


def refusing(kind: str) -> Trial:
    """Credentials, rights or the region turn wrong in the middle, and right again."""

    def run(place: Place) -> tuple[Sequence[Ended], Sequence[str]]:
        place.send(9, MINUTE.start_ms)
        # Twice as often as boto3 asks where else the bucket might be.
        place.proxy.arm(Fault(kind, ANY, 6, place.random.randrange(9)))
        ends = place.land()
        wrong = [] if place.proxy.hits else ["the fault never struck"]
        if not any(not e.done and "ticklake_aws" in e.words for e in ends):
            wrong.append("the error names no remedy")
        return ends, wrong

    return Trial("S3 refuses", kind, run)


def bucket_missing() -> Trial:
    """The bucket is not there at the first attempt."""

    def run(place: Place) -> tuple[Sequence[Ended], Sequence[str]]:
        place.send(9, MINUTE.start_ms)
        first = place.task().wait()
        place.s3.create_bucket(Bucket=place.bucket)
        wrong = [] if "TICKLAKE_BUCKET" in first.words else [f"the error names no remedy: {first.words}"]
        return [first, *place.land()], wrong

    return Trial("S3 refuses", "bucket missing", run, bucket=False)


def disk_full() -> Trial:
    """The worker cannot write a byte to any file: landing does not need to."""

    def run(place: Place) -> tuple[Sequence[Ended], Sequence[str]]:
        place.send(600, MINUTE.start_ms)
        end = place.task(disk_full=True).wait()
        return [end], [] if end.done else [f"landing needs the disk: {end.words}"]

    return Trial("worker's disk full", "no file can be written", run)


def late_manifest() -> Trial:
    """A manifest's request is repeated by the network long after: the second one must not replace anything."""

    def run(place: Place) -> tuple[Sequence[Ended], Sequence[str]]:
        place.send(9, MINUTE.start_ms)
        ends = place.land()
        [key] = place.keys("manifests/")
        manifest = json.loads(place.s3.get_object(Bucket=place.bucket, Key=key)["Body"].read())
        try:
            place.s3.put_object(Bucket=place.bucket, Key=key, Body=json.dumps(manifest).encode(), IfNoneMatch="*")
        except place.s3.exceptions.ClientError as e:
            refused = e.response["Error"]["Code"] == "PreconditionFailed"
            return ends, [] if refused else [str(e)]
        return ends, ["the manifest was replaced"]

    return Trial("S3: late repetition", "manifest put", run)


def all_failing(seeds: int) -> Iterator[tuple[Trial, int]]:
    """Every kind at every operation, once and for a while, ``seeds`` times (a stall once: it takes half a minute)."""
    for kind in KINDS:
        for operation in OPERATIONS:
            for times in (_ONCE, _WHILE):
                for seed in range(1 if kind == "stall" else seeds):
                    yield failing(kind, operation, times), seed
    for seed in range(seeds * 2):
        yield from ((refusing(kind), seed) for kind in REFUSALS)
        yield from ((trial, seed) for trial in (bucket_missing(), disk_full(), late_manifest()))
