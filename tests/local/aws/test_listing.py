"""Listings of S3: every key once and in order, whatever the size of a page, groups and place to start from."""

import random

import pytest

from tests.local.aws.conftest import Lake

NAMES = [
    *(f"raw/ticks/dt=2026-11-{day:02}/hr={hour:02}/{n}.gz" for day in (1, 2) for hour in range(4) for n in range(3)),
    *(f"raw/other/{n}" for n in range(5)),
    *("raw", "raw/", "rawer", "ä/ö", "manifests/ticks/1.json"),
]


@pytest.fixture(scope="module")
def keys() -> list[str]:
    return sorted(NAMES)


@pytest.fixture
def listed(lake: Lake) -> Lake:
    for key in random.Random(7).sample(NAMES, len(NAMES)):
        lake.s3.put_object(Bucket=lake.name, Key=key, Body=b"x")
    return lake


def pages(lake: Lake, **how: object) -> list[dict]:
    return list(lake.s3.get_paginator("list_objects_v2").paginate(Bucket=lake.name, **how))


def test_pages_together_hold_every_key_under_the_prefix_once_and_in_order(listed: Lake, keys: list[str]) -> None:
    for prefix in ("", "raw", "raw/", "raw/ticks/dt=2026-11-02/", "nothing/"):
        for size in (1, 4, 1000):
            found = pages(listed, Prefix=prefix, PaginationConfig={"PageSize": size})
            assert [entry["Key"] for page in found for entry in page.get("Contents", ())] == [
                key for key in keys if key.startswith(prefix)
            ]
            assert all(page["KeyCount"] <= size for page in found)


def test_groups_are_told_once_each_also_where_a_page_ends_between_them(listed: Lake) -> None:
    for size in (1, 2, 1000):
        found = pages(listed, Prefix="raw/", Delimiter="/", PaginationConfig={"PageSize": size})
        assert [g["Prefix"] for page in found for g in page.get("CommonPrefixes", ())] == ["raw/other/", "raw/ticks/"]
        assert [entry["Key"] for page in found for entry in page.get("Contents", ())] == ["raw/"]


def test_a_listing_starts_after_a_key_and_knows_what_came_and_went(listed: Lake, keys: list[str]) -> None:
    after = "raw/ticks/dt=2026-11-01/hr=01/1.gz"
    listed.s3.delete_object(Bucket=listed.name, Key="raw/ticks/dt=2026-11-02/hr=03/2.gz")
    listed.s3.put_object(Bucket=listed.name, Key="raw/ticks/dt=2026-11-03/0.gz", Body=b"x")
    (found,) = pages(listed, Prefix="raw/ticks/", StartAfter=after)
    expected = [k for k in keys if k.startswith("raw/ticks/") and k > after][:-1]
    assert [entry["Key"] for entry in found["Contents"]] == [*expected, "raw/ticks/dt=2026-11-03/0.gz"]
