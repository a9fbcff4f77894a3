from datetime import UTC, datetime, timedelta

import pytest

from tests.support.catalogued import TABLE, Catalogued, new_lake
from tests.support.landed import land
from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour
from ticklake.stages.s3_to_catalog import check_hour, seconds_to_wait

HOUR = Hour.parse("2026-11-22T10")
END = datetime(2026, 11, 22, 11, tzinfo=UTC)


@pytest.fixture
def catalogued(aws_endpoint: str) -> Catalogued:
    return new_lake(aws_endpoint)


def test_a_running_hour_is_waited_for_until_its_last_minute_has_been_landed():
    assert seconds_to_wait(HOUR, END - timedelta(minutes=10)) == 15 * 60


def test_a_past_hour_is_not_waited_for():
    assert seconds_to_wait(HOUR, END + timedelta(minutes=5)) == 0
    assert seconds_to_wait(HOUR, END + timedelta(days=400)) == 0


def test_an_hour_that_the_crawl_did_not_find_fails_in_words(catalogued: Catalogued):
    land(catalogued.lake, TABLE, "2026-11-22T09:00", {0: (0, 3)})
    catalogued.crawl()
    land(catalogued.lake, TABLE, "2026-11-22T10:00", {0: (3, 5)})
    with pytest.raises(LakeError, match="no partition dt=2026-11-22/hr=10"):
        check_hour(catalogued.glue, catalogued.name, TABLE, HOUR, "crawler")
    catalogued.crawl()
    check_hour(catalogued.glue, catalogued.name, TABLE, HOUR, "crawler")
