"""A topic, a bucket and a landing of each test's own, as the stages' tests have them."""

from tests.stages.conftest import lake, landing, s3, topic  # noqa: F401
