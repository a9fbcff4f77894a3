import pytest

from tests.support.catalogued import Catalogued, new_lake


@pytest.fixture
def catalogued(aws_endpoint: str) -> Catalogued:
    return new_lake(aws_endpoint)
