from typing import Any

import pytest

from ticklake.clients.aws.s3 import PATIENCE
from ticklake.core.settings.environment import AWS_CONNECTION


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Any:
    from ticklake.orchestration.lake_hook import LakeHook

    def of(extra: str) -> Any:
        login = '"login": "a", "password": "b"'
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}", f'{{"conn_type": "aws", {login}, "extra": {extra}}}'
        )
        return LakeHook(aws_conn_id=AWS_CONNECTION).get_conn().meta.config

    return of


def test_a_stalled_connection_is_given_up_after_seconds_and_tried_again(config: Any) -> None:
    of = config('{"region_name": "us-east-1"}')
    assert (of.connect_timeout, of.read_timeout, of.max_pool_connections) == (10, 20, 16)
    assert of.retries == PATIENCE["retries"]


def test_what_the_connection_says_itself_wins(config: Any) -> None:
    of = config('{"region_name": "us-east-1", "config_kwargs": {"read_timeout": 5}}')
    assert (of.connect_timeout, of.read_timeout) == (10, 5)
