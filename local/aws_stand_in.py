"""The AWS stand-in as a part: started in its own environment, provisioned from the CloudFormation template."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import httpx

from local import environments
from local.home import PROJECT
from local.processes import Part, PartError
from local.stack import AWS, AWS_LOGIN, Stack


def start(stack: Stack) -> Part:
    """Start it unless it runs; does not wait."""
    data = stack.home.folder / "aws"
    data.mkdir(parents=True, exist_ok=True)
    interpreter = environments.python(stack.home, "aws")
    command: list[str | Path] = [
        interpreter,
        "-P",
        "-m",
        "local.aws",
        "--port",
        str(stack.home.aws_port),
        "--data",
        data,
    ]
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    env["PYTHONPATH"] = f"{PROJECT}:{PROJECT / 'plugins'}"
    return stack.parts.start(AWS, command, env, PROJECT)


def wait(stack: Stack, part: Part, seconds: float = 300) -> None:
    """Return when it answers; raises PartError with the log's end."""
    deadline = time.monotonic() + seconds
    while not answers(stack):
        if not part.alive():
            raise part.dead()
        if time.monotonic() > deadline:
            raise PartError(f"The AWS stand-in does not answer after {seconds:.0f} s. {part.end_of_log()}")
        time.sleep(0.2)


def answers(stack: Stack) -> bool:
    """Whether somebody answers HTTP at the endpoint."""
    try:
        httpx.get(stack.home.aws_endpoint, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def client(stack: Stack, service: str) -> Any:
    """A boto3 client of the stand-in; quick to give up, since it is on this machine."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=stack.home.aws_endpoint,
        **AWS_LOGIN,
        config=Config(connect_timeout=2, read_timeout=60, retries={"max_attempts": 2}, proxies={}),
    )
