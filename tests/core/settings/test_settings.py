from pathlib import Path

import pytest

from ticklake.core.errors import SettingsError
from ticklake.core.settings.environment import Settings
from ticklake.core.settings.stream import Stream

SHIPPED = Settings.from_env({"TICKLAKE_BUCKET": "lake"}).stream


def test_the_shipped_stream_file_reads() -> None:
    stream = Stream.from_toml(SHIPPED)
    assert stream.topic.name == "stock_ticks"
    assert stream.landing.object_bytes == stream.landing.object_mebibytes * 2**20


def test_an_unknown_variable_is_an_error_that_names_the_one_meant() -> None:
    with pytest.raises(SettingsError, match=r"TICKLAKE_BUKCET .* Did you mean TICKLAKE_BUCKET\?"):
        Settings.from_env({"TICKLAKE_BUCKET": "lake", "TICKLAKE_BUKCET": "b"})


def test_a_missing_bucket_is_named() -> None:
    with pytest.raises(SettingsError, match="TICKLAKE_BUCKET is not set"):
        Settings.from_env({})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("partitions = 6", "partitions = 0", r"\[topic\]: partitions = 0 is not a whole number, at least 1"),
        ("partitions = 6", "partitions = true", r"\[topic\]: partitions = True"),
        ("partitions = 6", 'partitions = "6"', r"\[topic\]: partitions = '6'"),
        ("partitions = 6", "partitons = 6", r"\[topic\]: 'partitons' is not a key. Did you mean partitions"),
        ("partitions = 6", "", r"\[topic\]: 'partitions' is missing"),
        ('key_column = "Index"', 'key_column = "../Index"', r"\[table\]: key_column = '../Index' is not a string of"),
        (
            'name = "stock_ticks"          # raw',
            'name = "stock-ticks" # raw',
            r"\[table\]: name = 'stock-ticks' is not 1 to 255 lower",
        ),
        ("min_insync_replicas = 2", "min_insync_replicas = 4", "= 4 is more than replication_factor = 3: no record"),
        ("[landing]", "[lading]", r"'lading' is not a key. Did you mean landing"),
        ("[landing]", "landing", "is not TOML"),
    ],
)
def test_a_wrong_stream_file_is_named_with_section_and_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "stream.toml"
    file.write_text(SHIPPED.read_text().replace(old, new, 1))
    with pytest.raises(SettingsError, match=words):
        Stream.from_toml(file)


def test_a_missing_stream_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml is not there. TICKLAKE_STREAM"):
        Stream.from_toml(tmp_path / "none.toml")


def test_a_stage_may_have_connections_of_its_own():
    settings = Settings.from_env(
        {"TICKLAKE_BUCKET": "lake", "TICKLAKE_AWS_LANDING": "landing", "TICKLAKE_KAFKA_PRODUCE": "p"}
    )
    assert (settings.aws_landing, settings.aws_counts) == ("landing", "ticklake_aws")
    assert (settings.kafka_produce, settings.kafka_landing) == ("p", "ticklake_kafka")


@pytest.mark.parametrize("name", ["BUCKET", "AWS_LANDING", "KAFKA_PRODUCE", "CSV", "WORKGROUP"])
def test_a_variable_that_is_set_and_empty_is_told_since_it_would_mean_something_else(name: str) -> None:
    with pytest.raises(SettingsError, match=f"TICKLAKE_{name} is set, and empty. Unset it"):
        Settings.from_env({"TICKLAKE_BUCKET": "lake", f"TICKLAKE_{name}": ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [("BUCKET", "My_Lake"), ("GLUE_DATABASE", "my-db"), ("CRAWLER", "a b"), ("WORKGROUP", "a/b")],
)
def test_a_name_that_aws_would_refuse_is_told_with_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^TICKLAKE_{name} = '{value}' is not"):
        Settings.from_env({"TICKLAKE_BUCKET": "lake", f"TICKLAKE_{name}": value})
