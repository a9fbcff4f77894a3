"""`./ticklake test audit`: the locked packages against the known vulnerabilities of the Python Package Index.

Not among the other checks: it needs the index itself (a mirror of its files has no advisories), and its verdict changes without
the project's doing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.home import PROJECT
from local.terminal import say
from ticklake.core.errors import SettingsError
from ticklake.core.text_table import text_table

_LOCKS = ("docker", "local", "dev", "bench", "aws", "mwaa", "bootstrap")


@dataclass(frozen=True)
class AuditFindings:
    """Package, version, advisory, and the versions that mend it; the packages that nothing is known of."""

    vulnerable: tuple[tuple[str, str, str, str], ...]
    unknown: tuple[str, ...]
    audited: int


def run_audit() -> int:
    """Audit every lock; returns 0 when no package is known to be vulnerable. Raises SettingsError when that cannot be told."""
    found: list[tuple[str, str, str, str]] = []
    for name in _LOCKS:
        findings = read(_pip_audit(name))
        if findings.unknown:
            raise SettingsError(
                f"locks/{name}.txt cannot be audited: no advisories for {len(findings.unknown)} packages, "
                f"{findings.unknown[0]} among them; {findings.audited} could be.",
                "Run it where pip reaches the Python Package Index itself and not a mirror.",
            )
        say(f"{findings.audited} packages of locks/{name}.txt audited")
        found += [row for row in findings.vulnerable if row not in found]
    if found:
        print(text_table(("package", "version", "advisory", "mended in"), map(list, found)))
        return 1
    say("no known vulnerabilities")
    return 0


def read(document: Mapping[str, Any]) -> AuditFindings:
    """What pip-audit's JSON says. A package that it skipped was not found to be good."""
    known = [package for package in document["dependencies"] if "skip_reason" not in package]
    rows = [
        (package["name"], package["version"], flaw["id"], ", ".join(flaw["fix_versions"]) or "-")
        for package in known
        for flaw in package["vulns"]
    ]
    unknown = [package["name"] for package in document["dependencies"] if "skip_reason" in package]
    return AuditFindings(tuple(rows), tuple(unknown), len(known))


def _pip_audit(name: str) -> dict[str, Any]:
    options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", *options, "--requirement", f"locks/{name}.txt"]
    done = subprocess.run(command, cwd=PROJECT, text=True, capture_output=True, check=False)
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError as e:
        raise SettingsError(f"pip-audit cannot audit locks/{name}.txt: {done.stderr.strip()[-300:]}") from e
    return document
