"""The project's own errors: each names the thing that is wrong and what to do about it."""


class TicklakeError(Exception):
    """Base of every error raised on purpose.

    Args:
        problem: what is wrong, with the name of the thing.
        remedy: what the reader can do about it; empty when the problem says it already.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} {remedy}".strip())


class SettingsError(TicklakeError):
    """An environment variable, a Param or a key of the stream file is missing, unknown or of the wrong form."""


class InputError(TicklakeError):
    """A file given to the pipeline cannot be read as what it should be; names file, line and column."""


class KafkaError(TicklakeError):
    """Kafka did not do what was asked in time, or answered with an error."""


class LakeError(TicklakeError):
    """S3, Glue or Athena did not do what was asked."""


class LostOffsetsError(TicklakeError):
    """Kafka no longer has offsets that an unsealed minute needs (retention); the loss is written in its manifest."""


class DiskError(TicklakeError):
    """The worker's disk does not take what waits there to be uploaded."""
