"""The Glue crawler: StartCrawler lists the targets, infers columns and writes tables and partitions to the catalog."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from local.aws import folders, host, samples
from local.aws.crawled_tables import Policy, write_table
from local.aws.host import Reply

log = logging.getLogger(__name__)
_starting = threading.Lock()


class CrawlError(Exception):
    """The crawl fails; the text becomes LastCrawl's ErrorMessage."""


def install() -> None:
    """Put the crawler in the place of ministack's."""
    host.replace(host.glue, "_start_crawler", start)
    host.replace(host.glue, "_stop_crawler", stop)
    host.replace(host.glue, "_get_crawler_metrics", metrics)


def recover() -> None:
    """After a restart no crawl runs: one that was cut off has failed."""
    for crawler in host.everyones(host.glue._crawlers):
        if crawler["State"] != "READY":
            _finish(crawler, "FAILED", "Internal service exception: the stand-in was stopped during the crawl.")


def start(request: dict[str, Any]) -> Reply:
    """StartCrawler."""
    name = request.get("Name", "")
    with _starting:
        crawler = host.crawler(name)
        if crawler is None:
            return host.refuse("EntityNotFoundException", f"Crawler entry with name {name} does not exist")
        if crawler["State"] != "READY":
            return host.refuse("CrawlerRunningException", f"Crawler with name {name} has already started")
        crawler |= {"State": "RUNNING", "CrawlElapsedTime": 0, "_started": time.time(), "_stop": False}
    host.in_background(_run, crawler, name=f"crawl-{name}")
    return host.reply({})


def stop(request: dict[str, Any]) -> Reply:
    """StopCrawler: the crawl ends at its next folder."""
    name = request.get("Name", "")
    crawler = host.crawler(name)
    if crawler is None:
        return host.refuse("EntityNotFoundException", f"Crawler entry with name {name} does not exist")
    if crawler["State"] == "STOPPING":
        return host.refuse("CrawlerStoppingException", f"Crawler with name {name} is stopping")
    if crawler["State"] != "RUNNING":
        return host.refuse("CrawlerNotRunningException", f"Crawler with name {name} isn't running")
    crawler |= {"State": "STOPPING", "_stop": True}
    return host.reply({})


def metrics(request: dict[str, Any]) -> Reply:
    """GetCrawlerMetrics."""
    names = request.get("CrawlerNameList") or list(host.glue._crawlers)
    found = [c for c in (host.crawler(n) for n in names) if c]
    return host.reply({"CrawlerMetricsList": [_metrics(c) for c in found]})


def _metrics(crawler: dict[str, Any]) -> dict[str, Any]:
    seconds = crawler.get("_last_seconds", 0.0)
    counts = crawler.get("_counts", {})
    return {
        "CrawlerName": crawler["Name"],
        "TimeLeftSeconds": 0.0,
        "StillEstimating": crawler["State"] == "RUNNING",
        "LastRuntimeSeconds": seconds,
        "MedianRuntimeSeconds": seconds,
        "TablesCreated": counts.get("created", 0),
        "TablesUpdated": counts.get("updated", 0),
        "TablesDeleted": 0,
    }


def _run(crawler: dict[str, Any]) -> None:
    try:
        crawler["_counts"] = crawl(crawler)
        status, problem = ("CANCELLED", "") if crawler["_stop"] else ("SUCCEEDED", "")
    except (CrawlError, samples.UnknownFormatError, folders.LayoutError, host.HostError) as e:
        status, problem = "FAILED", str(e)
    except Exception as e:
        log.exception("Crawl of %s failed.", crawler["Name"])
        status, problem = "FAILED", f"Internal Service Exception: {e!r}"
    crawler["State"] = "STOPPING"
    _finish(crawler, status, problem)


def _finish(crawler: dict[str, Any], status: str, problem: str) -> None:
    started = crawler.get("_started", time.time())
    crawler["_last_seconds"] = time.time() - started
    crawler["CrawlElapsedTime"] = int(crawler["_last_seconds"] * 1000)
    crawler["LastCrawl"] = {
        "Status": status,
        **({"ErrorMessage": problem} if problem else {}),
        "LogGroup": "/aws-glue/crawlers",
        "LogStream": crawler["Name"],
        "MessagePrefix": host.new_id(),
        "StartTime": started,
    }
    crawler["State"] = "READY"


@dataclass(frozen=True)
class Target:
    """One S3 target."""

    bucket: str
    prefix: str
    sample: int | None


def crawl(crawler: dict[str, Any]) -> dict[str, int]:
    """Crawl all targets; returns how many tables were created and updated. Raises when anything is not emulated."""
    if crawler["DatabaseName"] not in host.databases():
        raise CrawlError(f"Database {crawler['DatabaseName']} not found.")
    configuration = json.loads(crawler.get("Configuration") or "{}")
    grouping = configuration.get("Grouping", {})
    policy = Policy.of(crawler, configuration)
    counts = {"created": 0, "updated": 0}
    for target in _targets(crawler):
        keys = host.list_keys(target.bucket, target.prefix)
        one_schema = grouping.get("TableGroupingPolicy") == "CombineCompatibleSchemas"
        level = grouping.get("TableLevelConfiguration")
        for folder in folders.divide(target.bucket, target.prefix, keys, level, one_schema):
            if crawler["_stop"]:
                return counts
            outcome = write_table(crawler["DatabaseName"], folder, policy, target.sample)
            if outcome:
                counts[outcome] += 1
    return counts


def _targets(crawler: dict[str, Any]) -> list[Target]:
    targets = crawler["Targets"]
    other = [name for name, value in targets.items() if value and name != "S3Targets"]
    if other or crawler.get("Classifiers"):
        raise CrawlError(f"Not emulated by the local stand-in: {', '.join(other) or 'custom classifiers'}.")
    if crawler.get("RecrawlPolicy", {}).get("RecrawlBehavior") == "CRAWL_EVENT_MODE":
        raise CrawlError("Not emulated by the local stand-in: CRAWL_EVENT_MODE.")
    found = []
    for target in targets.get("S3Targets", []):
        if target.get("Exclusions"):
            raise CrawlError(f"Not emulated by the local stand-in: Exclusions of {target['Path']}.")
        bucket, _, prefix = target["Path"].removeprefix("s3://").partition("/")
        if not host.has_bucket(bucket):
            raise CrawlError(f"The S3 location: {target['Path']} does not exist: no bucket {bucket}.")
        found.append(Target(bucket, prefix, target.get("SampleSize")))
    return found
