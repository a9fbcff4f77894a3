"""docs/deploy-aws.md line by line: what can run on the stand-in runs there, the rest is at least what AWS's API knows."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name

from local.aws_deploy import run
from local.bundle import make_bundle
from local.cli import parse
from local.home import PROJECT
from tests.support.aws_stand_in import running_aws

GUIDE = (PROJECT / "docs" / "deploy-aws.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line and not line.startswith("#")
]
_RUN = ("glue", "athena")
_OF_THE_CLI = {"query", "output", "region", "profile"}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty account, and a folder to type the commands in."""
    with running_aws(tmp_path / "aws") as endpoint:
        for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.chdir(tmp_path)
        yield tmp_path


def test_the_guides_commands_run_line_by_line_in_an_empty_account(account, capsys):
    assert len(COMMANDS) >= 10
    for line in COMMANDS:
        program, *words = shlex.split(line.partition(" > ")[0])
        if program == "aws":
            _aws(words)
            continue
        capsys.readouterr()
        _ticklake(words)
        if file := line.partition(" > ")[2]:
            Path(file).write_text(capsys.readouterr().out)
    assert boto3.client("s3").list_buckets()["Buckets"][0]["Name"] == "ticklake-000000000000-us-east-1"  # kept
    assert "export TICKLAKE_BUCKET=ticklake-000000000000-us-east-1" in (account / "build/mwaa/startup.sh").read_text()


def _ticklake(words: list[str]) -> None:
    parsed = parse(words)
    assert parsed, words
    command, options = parsed
    if command.name == "bundle":
        assert make_bundle(options.to, options.env) == 0
    else:
        assert run(options, lambda _: "y") == 0, words


def _aws(words: list[str]) -> None:
    """Check a line of the AWS CLI against AWS's model of its service; run it where the stand-in can."""
    service, operation, *rest = words
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"aws {service} has no {operation}"
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members}
    given: dict[str, Any] = {}
    for option, value in zip(rest[::2], rest[1::2], strict=True):
        assert option.startswith("--")
        if option[2:] in _OF_THE_CLI:
            continue
        assert option[2:] in members, f"aws {service} {operation} has no {option}"
        member = members[option[2:]]
        given[member] = _value(shape.members[member].type_name, value)
    if service in _RUN:
        getattr(boto3.client(service), xform_name(names[operation]))(**given)


def _value(kind: str, text: str) -> Any:
    if kind == "structure":
        return dict(pair.split("=") for pair in text.split(","))
    return int(text) if kind == "integer" else text


def test_the_lines_that_are_not_run_are_of_commands_and_parameters_that_exist():
    """Those with a name to be filled in."""
    declared = set(
        re.findall(
            r"^  (\w+):\n    Type: (?:String|Number|Comma)",
            (PROJECT / "include/aws/stack.yaml").read_text(),
            re.MULTILINE,
        )
    )
    for line in re.findall(r"^\./ticklake .*", GUIDE, re.MULTILINE):
        parsed = parse(shlex.split(line.partition(" > ")[0])[1:])
        assert parsed, line
        for parameter in getattr(parsed[1], "parameter", []):
            assert parameter.partition("=")[0] in declared, line


def test_the_arithmetic_of_the_costs_is_right():
    sums = re.findall(r"`([0-9.+×/ ]+) = \$([0-9.]+)`", GUIDE)
    assert len(sums) >= 19
    for expression, result in sums:
        assert abs(_calculated(expression) - float(result)) <= 0.0051, f"{expression} is {_calculated(expression):.2f}"


def _calculated(expression: str) -> float:
    total = 0.0
    for product in expression.split("+"):
        value, sign = 1.0, "×"
        for token in product.split():
            if token in "×/":
                sign = token
            else:
                value = value * float(token) if sign == "×" else value / float(token)
        total += value
    return total


def test_the_connection_of_the_guide_is_json():
    (block,) = re.findall(r"^```json\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    assert {"bootstrap.servers", "security.protocol", "sasl.mechanism"} <= set(json.loads(block))
