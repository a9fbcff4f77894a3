"""Names of things on AWS, by AWS's own rules: a wrong one is an error before a request is made.

Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; for databases and tables
docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html (Glue takes more, Athena cannot query it); ``Name`` of
CreateCrawler and of CreateWorkGroup in the API references of Glue and Athena.
"""

from __future__ import annotations

import re

from ticklake.core.errors import SettingsError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,254}", re.ASCII)
_ATHENA = re.compile(r"[a-z0-9_]{1,255}", re.ASCII)
# Glue's own pattern, less the blanks and brackets that no ARN in a policy would match as they are.
_CRAWLER = re.compile(r"[A-Za-z0-9_.-]{1,255}", re.ASCII)
_WORKGROUP = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def check_bucket(where: str, name: str) -> None:
    """Raise SettingsError unless S3 takes the name; ``where`` says where it was typed."""
    if "/" in name or ":" in name:
        raise SettingsError(
            f"{where} = {name!r} is not a bucket's name.", "Only the name: no s3://, no folder, no ARN."
        )
    if not _BUCKET.fullmatch(name) or ".." in name:
        raise SettingsError(
            f"{where} = {name!r} is not a bucket's name: 3 to 63 lower-case letters, digits, '-' and single '.',"
            " the first and the last a letter or a digit."
        )
    if _ADDRESS.fullmatch(name) or name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS):
        raise SettingsError(f"{where} = {name!r} is a name that S3 reserves.", "Take another name.")


def check_database(where: str, name: str) -> None:
    """Raise SettingsError unless Athena takes the name of the database."""
    _check(where, name, _ATHENA, "1 to 255 lower-case letters, digits and '_', as Athena wants a database's name")


def check_table(where: str, name: str) -> None:
    """Raise SettingsError unless Athena takes the name of the table."""
    _check(
        where, name, _TABLE, "1 to 255 lower-case letters, digits and '_', no digit first, as SQL wants a table's name"
    )


def check_crawler(where: str, name: str) -> None:
    """Raise SettingsError unless Glue takes the name of the crawler."""
    _check(where, name, _CRAWLER, "1 to 255 letters, digits, '.', '_' and '-', a crawler's name")


def check_workgroup(where: str, name: str) -> None:
    """Raise SettingsError unless Athena takes the name of the workgroup."""
    _check(where, name, _WORKGROUP, "1 to 128 letters, digits, '.', '_' and '-', a workgroup's name")


def _check(where: str, name: str, pattern: re.Pattern[str], wanted: str) -> None:
    if not pattern.fullmatch(name):
        raise SettingsError(f"{where} = {name!r} is not {wanted}.")
