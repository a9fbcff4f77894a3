"""The Glue crawler: StartCrawler lists the targets, infers columns and writes tables and partitions to the catalog.

Targets are folders of S3, whose tables it makes, or tables of the catalog, which somebody has declared and it keeps up to
date: their partitions and new columns are added, no table is made.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

from local.aws import folders, host, permissions, samples
from local.aws.crawled_tables import Policy, name_of, write_table
from local.aws.folders import TableFolder
from local.aws.host import Handler, Reply

log = logging.getLogger(__name__)
_starting = threading.Lock()


class CrawlError(Exception):
    """The crawl fails; the text becomes LastCrawl's ErrorMessage."""


def install() -> None:
    """Put the crawler in the place of ministack's."""
    host.replace(host.glue, "_start_crawler", start)
    host.replace(host.glue, "_stop_crawler", stop)
    host.replace(host.glue, "_get_crawler_metrics", metrics)
    for name in ("_create_crawler", "_update_crawler"):
        host.replace(host.glue, name, _checked(getattr(host.glue, name)))


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
    except (CrawlError, samples.UnknownFormatError, folders.LayoutError, host.HostError, permissions.DeniedError) as e:
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


def crawl(crawler: dict[str, Any]) -> dict[str, int]:
    """Crawl all targets; returns how many tables were created and updated. Raises when anything is not emulated."""
    if crawler["DatabaseName"] not in host.databases():
        raise CrawlError(f"Database {crawler['DatabaseName']} not found.")
    configuration = json.loads(crawler.get("Configuration") or "{}")
    policy = Policy.of(crawler, configuration)
    counts = {"created": 0, "updated": 0}
    for database, name, folder, sample in _folders(crawler, configuration.get("Grouping", {}), policy):
        if crawler["_stop"]:
            break
        policy.role.require_listing(folder.bucket, folder.prefix)
        policy.role.require("glue:GetTable", permissions.of_tables(database, tables=[name]))
        outcome = write_table(database, name, folder, policy, sample)
        if outcome:
            counts[outcome] += 1
    return counts


Found = tuple[str, str, TableFolder, int | None]  # database, table, its folder, SampleSize


def _folders(crawler: dict[str, Any], grouping: dict[str, Any], policy: Policy) -> Iterator[Found]:
    targets = crawler["Targets"]
    other = [name for name, value in targets.items() if value and name not in ("S3Targets", "CatalogTargets")]
    if other or crawler.get("Classifiers"):
        raise CrawlError(f"Not emulated by the local stand-in: {', '.join(other) or 'custom classifiers'}.")
    if crawler.get("RecrawlPolicy", {}).get("RecrawlBehavior") == "CRAWL_EVENT_MODE":
        raise CrawlError("Not emulated by the local stand-in: CRAWL_EVENT_MODE.")
    for target in targets.get("S3Targets", []):
        yield from _below(crawler["DatabaseName"], target, grouping, policy)
    for target in targets.get("CatalogTargets", []):
        for name in target["Tables"]:
            yield from _of_table(target["DatabaseName"], name)


def _below(database: str, target: dict[str, Any], grouping: dict[str, Any], policy: Policy) -> Iterator[Found]:
    """The tables to be under a folder."""
    if target.get("Exclusions"):
        raise CrawlError(f"Not emulated by the local stand-in: Exclusions of {target['Path']}.")
    bucket, prefix = _location(target["Path"])
    keys = host.list_keys(bucket, prefix)
    one_schema = grouping.get("TableGroupingPolicy") == "CombineCompatibleSchemas"
    for folder in folders.divide(bucket, prefix, keys, grouping.get("TableLevelConfiguration"), one_schema):
        yield database, name_of(database, folder, policy), folder, target.get("SampleSize")


def _of_table(database: str, name: str) -> Iterator[Found]:
    """The folder of a declared table; nothing while it is empty."""
    table = host.table(database, name)
    if table is None:
        raise CrawlError(f"Table {database}.{name} of the crawler's catalog target not found.")
    classification = table.get("Parameters", {}).get("classification")
    if classification != "json":  # AWS takes what it finds for a change, and marks the table as deprecated
        raise CrawlError(f"Not emulated by the local stand-in: table {name} with classification {classification!r}.")
    bucket, prefix = _location(table["StorageDescriptor"]["Location"])
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    for folder in folders.divide(bucket, prefix, host.list_keys(bucket, prefix), level=None, one_schema=True):
        declared = tuple(k["Name"].lower() for k in table["PartitionKeys"])
        if folder.partition_keys != declared:
            raise CrawlError(
                f"Objects under {folder.location} lie in folders {list(folder.partition_keys)}, and the partition columns of "
                f"{database}.{name} are {list(declared)}."
            )
        yield database, name, folder, None


def _location(path: str) -> tuple[str, str]:
    bucket, _, prefix = path.removeprefix("s3://").partition("/")
    if not host.has_bucket(bucket):
        raise CrawlError(f"The S3 location: {path} does not exist: no bucket {bucket}.")
    return bucket, prefix


def _checked(write: Handler) -> Handler:
    """CreateCrawler and UpdateCrawler, which refuse what cannot go with catalog targets."""

    def checked(request: dict[str, Any]) -> Reply:
        problem = _problem((host.crawler(request.get("Name", "")) or {}) | request)
        return host.refuse("InvalidInputException", problem) if problem else write(request)

    return checked


def _problem(crawler: dict[str, Any]) -> str:
    kinds = [name for name, value in crawler.get("Targets", {}).items() if value]
    if "CatalogTargets" not in kinds:
        return ""
    if len(kinds) > 1:
        return "Catalog targets cannot be mixed with other target types."
    if crawler.get("SchemaChangePolicy", {}).get("DeleteBehavior") != "LOG":
        return "The DeleteBehavior of the SchemaChangePolicy must be LOG for catalog targets."
    if crawler.get("RecrawlPolicy", {}).get("RecrawlBehavior") == "CRAWL_NEW_FOLDERS_ONLY":
        return "Incremental crawls are for S3 targets only."
    return ""
