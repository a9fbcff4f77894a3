"""Turns of phrase that this project once had and no native writer would use: each with the usual one."""

import re
from pathlib import Path

import pytest

from local.home import PROJECT

# Grows by what a reader finds; a plain rule of style that a library already knows does not belong here.
PLAINER = {
    r"\banew\b": "again; rebuild, recreate, replace",
    r"\bof itself\b": "by itself; about itself",
    r"\bneeded (is|are)\b": "needs",
    r"\b(is|are|was|were) told\b": "is reported, is an error, gets the reason",
    r"\btells (of|how|that|which|whether)\b": "reports, shows",
    r"\bonly tells\b": "reports",
    r"\ba text\b": "a string",
    r"\btime heals\b": "a retry succeeds",
    r"\bfor ever\b": "forever",
    r"\bcomplain_of\w*": "raise_for",
}
PAGES = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "dags/*.py", "plugins/**/*.py", "local/**/*.py", "include/**/*.toml")
    for file in PROJECT.glob(pattern)
)


@pytest.mark.parametrize("file", PAGES, ids=lambda f: str(f.relative_to(PROJECT)))
def test_a_page_or_module_uses_the_usual_words(file: Path) -> None:
    found = [
        f"{file.relative_to(PROJECT)}:{number}: {match[0]!r}; rather: {plainer}"
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        for phrase, plainer in PLAINER.items()
        for match in re.finditer(phrase, line, re.IGNORECASE)
    ]
    assert found == [], "\n".join(found)
