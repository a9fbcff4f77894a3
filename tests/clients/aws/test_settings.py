from typing import Any

import pytest

from tests.support.refusal import refusal
from ticklake.clients.aws.settings import check_client_settings
from ticklake.core.errors import SettingsError


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path) -> pytest.MonkeyPatch:
    """A machine that knows no region and no profile."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    return monkeypatch


def refused(**extra: Any) -> str:
    with pytest.raises(SettingsError) as found:
        check_client_settings("a", extra)
    return str(found.value)


def test_options_that_botocore_takes_are_taken() -> None:
    options = {"region_name": "eu-central-1", "config_kwargs": {"retries": {"max_attempts": 0}}}
    assert refusal(check_client_settings, "a", options) is None


def test_an_option_that_botocore_does_not_know_is_told_with_the_one_meant() -> None:
    said = refused(region_name="eu-central-1", config_kwargs={"read_timeut": 5})
    assert said.endswith("config_kwargs: 'read_timeut' is not an option of a client. Did you mean read_timeout?")


def test_an_option_of_the_wrong_form_is_told() -> None:
    assert "max_atempts" in refused(region_name="eu-central-1", config_kwargs={"retries": {"max_atempts": 0}})


def test_a_profile_that_is_not_there_is_told() -> None:
    assert refused(profile_name="ticklake").startswith(
        "Connection a, extra: The config profile (ticklake) could not be"
    )


def test_a_region_that_stands_nowhere_is_told(machine: pytest.MonkeyPatch) -> None:
    assert refused().startswith("Connection a, extra: region_name is missing")
    machine.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    check_client_settings("a", {})
