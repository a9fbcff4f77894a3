"""Kafka's jars: what is damaged or half there is downloaded again, what is not the locked file never gets its name."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local import jars
from local.home import Home
from local.jars import DownloadError, Jar, class_path

BODY = b"a jar" * 1000
LOCKED = Jar("org.example:thing:1.0", hashlib.sha256(BODY).hexdigest())


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file on a Maven mirror on loopback, given in jgo's own settings; the list holds just this jar."""
    file = tmp_path / "mirror" / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "mirror")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    use_repository(tmp_path, monkeypatch, server.server_port)
    yield file
    server.shutdown()
    server.server_close()


def use_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    (tmp_path / ".jgorc").write_text(f"[repositories]\ncentral = http://127.0.0.1:{port}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(jars, "locked_jars", lambda: [LOCKED])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", tmp_path / "home" / "tools", 0)


def folder(home: Home) -> Path:
    return home.tools / "jars"


def test_a_jar_is_downloaded_once(home: Home, mirror: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert class_path(home) == str(folder(home) / "thing-1.0.jar")
    assert "downloading Kafka, 1 jars, once" in capsys.readouterr().out
    mirror.unlink()
    class_path(home)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("there", [b"", BODY[:700]])
def test_a_jar_that_is_cut_off_is_downloaded_again(home: Home, mirror: Path, there: bytes) -> None:
    folder(home).mkdir(parents=True)
    (folder(home) / "thing-1.0.jar").write_bytes(there)
    class_path(home)
    assert (folder(home) / "thing-1.0.jar").read_bytes() == BODY


def test_what_a_killed_download_left_is_removed(home: Home, mirror: Path) -> None:
    left = folder(home) / ".download-killed" / "org"
    left.mkdir(parents=True)
    (left / "thing-1.0.jar").write_bytes(BODY[:10])
    class_path(home)
    assert sorted(path.name for path in folder(home).iterdir()) == ["lock", "thing-1.0.jar"]


def test_a_mirror_with_another_file_is_refused(home: Home, mirror: Path) -> None:
    mirror.write_bytes(b"something else")
    with pytest.raises(
        DownloadError, match=r"org\.example:thing:1\.0 has sha256 .*Do not use this file: check your mirror"
    ):
        class_path(home)
    assert not (folder(home) / "thing-1.0.jar").exists()


def test_without_a_network_it_is_one_line_with_the_remedy(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_repository(tmp_path, monkeypatch, port=9)  # nobody listens there
    with pytest.raises(DownloadError) as caught:
        class_path(home)
    said = str(caught.value)
    assert said.startswith("org.example:thing:1.0 cannot be downloaded from Maven Central (")
    assert said.endswith("Check the network, or give your mirror in jgo's settings; then repeat the command.")
    assert not list(folder(home).glob("*.jar"))
