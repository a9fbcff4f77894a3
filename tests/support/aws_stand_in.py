"""The embedded AWS of the test's own: started in a folder, on a free port of loopback, gone afterwards."""

import os
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from local import environments
from local.home import Home
from tests.support.ports import free_ports
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


def aws_python() -> str:
    """Python of the stand-in's environment: ``TICKLAKE_AWS_PYTHON``, else the launcher's."""
    return os.environ.get("TICKLAKE_AWS_PYTHON") or str(environments.python(Home.from_env(), "aws"))


class StandIn:
    """One process of it; ``start`` again after ``stop`` or ``kill`` takes up the same state on the same port."""

    def __init__(self, data: Path, certificate: Path | None = None, **environment: str) -> None:
        """Args: certificate: folder with `certificate.pem` and `key.pem`, for HTTPS."""
        self._data, self._certificate, self._environment = data, certificate, environment
        (self._port,) = free_ports(1)
        self.endpoint = f"http{'s' * bool(certificate)}://127.0.0.1:{self._port}"

    def start(self) -> None:
        command: list[str | Path] = [
            aws_python(),
            "-m",
            "local.aws",
            "--port",
            str(self._port),
            "--data",
            str(self._data),
        ]
        if self._certificate:
            command += ["--certificate", self._certificate / "certificate.pem", "--key", self._certificate / "key.pem"]
        self._data.mkdir(parents=True, exist_ok=True)
        with (self._data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=os.environ | self._environment
            )
        trust = ssl.create_default_context(cafile=self._certificate / "certificate.pem") if self._certificate else None

        def answers() -> bool:
            assert self._process.poll() is None, self._end_of_log()
            with (
                suppress(OSError),
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=60, context=trust),
            ):
                return True
            return False

        try:
            wait_for(answers, self._end_of_log)
        except BaseException:
            self.kill()
            raise

    def _end_of_log(self) -> str:
        return f"The AWS stand-in did not start:\n{(self._data / 'log').read_text()[-3000:]}"

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


@contextmanager
def running_aws(data: Path, certificate: Path | None = None, **environment: str) -> Iterator[str]:
    """Start it with its state in ``data`` and yield the endpoint's URL; any access key will do."""
    stand_in = StandIn(data, certificate, **environment)
    stand_in.start()
    try:
        yield stand_in.endpoint
    finally:
        # Asked to stop, a TLS server waits half a minute for each client's goodbye.
        (stand_in.kill if certificate else stand_in.stop)()
