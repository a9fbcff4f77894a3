import re

import pytest
import yaml

from tests.support.refusal import refusal
from ticklake.core.errors import SettingsError
from ticklake.core.settings.aws_names import check_bucket, check_crawler, check_database, check_table, check_workgroup
from ticklake.core.settings.environment import Settings

TEMPLATE = Settings.from_env({"TICKLAKE_BUCKET": "lake"}).sql.parent / "aws" / "stack.yaml"


@pytest.mark.parametrize("name", ["lake", "my-lake.eu", "1ake", "a" * 63])
def test_a_bucket_name_of_s3_is_taken(name: str) -> None:
    assert refusal(check_bucket, "TICKLAKE_BUCKET", name) is None


@pytest.mark.parametrize("name", ["s3://lake", "lake/", "lake/raw", "arn:aws:s3:::lake"])
def test_of_a_bucket_only_the_name_is_wanted(name: str) -> None:
    with pytest.raises(
        SettingsError, match=re.escape(f"TICKLAKE_BUCKET = {name!r} is not a bucket's name. Only the name")
    ):
        check_bucket("TICKLAKE_BUCKET", name)


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "My-Lake", "my_lake", "-lake", "lake-", ".lake", "my..lake", "lake ", "läke"]
)
def test_a_bucket_name_that_s3_would_refuse_is_told_with_the_rule(name: str) -> None:
    with pytest.raises(SettingsError, match="3 to 63 lower-case letters"):
        check_bucket("TICKLAKE_BUCKET", name)


@pytest.mark.parametrize(
    "name", ["192.168.5.4", "xn--lake", "sthree-lake", "lake-s3alias", "lake--ol-s3", "lake--x-s3"]
)
def test_a_bucket_name_that_s3_reserves_is_told(name: str) -> None:
    with pytest.raises(SettingsError, match="a name that S3 reserves"):
        check_bucket("TICKLAKE_BUCKET", name)


@pytest.mark.parametrize("check", [check_database, check_table])
@pytest.mark.parametrize("name", ["Lake", "my-lake", "my.lake", "a" * 256, "lake;--"])
def test_what_athena_could_not_query_by_its_name_is_refused(check, name: str) -> None:
    check("x", "ticklake_2")
    with pytest.raises(SettingsError, match=r"x = '.*' is not 1 to 255 lower-case letters, digits and '_'"):
        check("x", name)


@pytest.mark.parametrize("check", [check_crawler, check_workgroup])
@pytest.mark.parametrize("name", ["a b", "a" * 256, "lake/2", "*"])
def test_a_name_that_a_policy_could_not_name_is_refused(check, name: str) -> None:
    check("x", "Tick-lake_2")
    with pytest.raises(SettingsError, match="x = "):
        check("x", name)


@pytest.mark.parametrize(
    ("parameter", "check"),
    [
        ("BucketName", check_bucket),
        ("DatabaseName", check_database),
        ("TableName", check_table),
        ("CrawlerName", check_crawler),
        ("WorkgroupName", check_workgroup),
    ],
)
def test_every_name_that_the_stack_on_aws_takes_is_taken(parameter: str, check) -> None:
    class Template(yaml.SafeLoader):  # type: ignore[misc]
        """CloudFormation's tags, left aside."""

    Template.add_multi_constructor("!", lambda loader, suffix, node: None)
    pattern = yaml.load(TEMPLATE.read_text(), Template)["Parameters"][parameter]["AllowedPattern"]
    names = ("ticklake", "a-1", "a_1", "A", "a.b", "abc" * 21, "z" * 255)
    taken_by_aws = [name for name in names if re.fullmatch(pattern, name)]
    assert taken_by_aws
    assert [said for name in taken_by_aws if (said := refusal(check, "x", name))] == []
