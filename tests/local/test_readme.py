"""The README and the index of decisions say what is so: a change that they do not follow fails here."""

import re
import shlex
from pathlib import Path

import pytest

from local import down, environments, jars, up, watch
from local.cli import COMMANDS, parse
from local.home import DEFAULT_PORT_BASE, PROJECT, Home
from local.kafka_tools import TOOLS
from local.lake import CountedTotal, SealedTotal

README = (PROJECT / "README.md").read_text()
LINES = README.splitlines()
DAGS = {file.stem for file in (PROJECT / "dags").glob("*.py")}
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def sources() -> str:
    """The code that says the progress lines."""
    return "".join(Path(str(module.__file__)).read_text() for module in (up, watch, down, environments, jars))


def run_output() -> str:
    return next(block for _, block in BLOCKS if "SELECT COUNT(*)" in block and " s  " in block)


def commands() -> list[str]:
    """Every `./ticklake …` of the README, as somebody would paste it."""
    return [found.replace("\\|", "|") for found in re.findall(r"`(\./ticklake [^`]+)`", README)]


def test_line_1_says_what_it_is_and_the_two_commands_stand_by_line_15() -> None:
    assert re.match(r"# Ticklake: every minute of a Kafka topic in S3 exactly once", LINES[0])
    top = "\n".join(LINES[:15])
    assert "git clone" in top
    assert "\n./ticklake up\n" in top


def test_the_table_of_commands_has_every_command_and_no_other() -> None:
    rows = re.findall(r"^\| `\./ticklake (\w+)", README, re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_each_option_of_up_down_and_status_that_the_readme_names_is_taken() -> None:
    for name, option in re.findall(r"\./ticklake (\w+)[^`\n]*?\[?(--[a-z-]+)", README):
        if not COMMANDS[name].verbatim:
            assert option in [n for o in COMMANDS[name].options for n in o.names], f"{name} {option}"


@pytest.mark.parametrize("command", commands())
def test_each_command_of_the_readme_is_one_that_the_launcher_takes(command: str) -> None:
    # In the table, [x] may be left out, and … and NAME stand for something.
    words = shlex.split(re.sub(r"[\[\]]", "", command))[1:]
    parsed = parse(words)
    assert parsed is not None
    if parsed[0].name == "kafka" and words[1:2] != ["TOOL"] and words[1:]:
        assert words[1] in TOOLS


def test_every_dag_is_named_and_no_other() -> None:
    listed = re.search(r"DAGs run: (.*)", run_output())
    assert listed
    assert set(listed[1].split(", ")) <= DAGS
    assert set(re.findall(r"\w+", README)) >= DAGS
    assert set(re.findall(r"DAG `(\w+)`", README)) <= DAGS


def test_the_ports_of_the_output_are_the_default_ones() -> None:
    home = Home(PROJECT, PROJECT, DEFAULT_PORT_BASE)
    kafka = ",".join(f"127.0.0.1:{home.broker_port(n)}" for n in (1, 2, 3))
    for address in (home.aws_endpoint, kafka, home.airflow_url):
        assert address in run_output()
    assert set(re.findall(r"127\.0\.0\.1:\d+", README)) <= {
        f"127.0.0.1:{port}" for port in (home.aws_port, home.airflow_port, *map(home.broker_port, (1, 2, 3)))
    }


def test_each_progress_line_of_the_output_is_one_that_the_code_prints() -> None:
    code = sources()
    shown = [line.partition(" s  ")[2] for line in run_output().splitlines() if " s  " in line]
    templates = re.findall(r"""say\(\s*f?"((?:[^"\\]|\\.)*)\"""", code)
    patterns = [re.compile(re.sub(r"\\\{.*?\\\}", ".*", re.escape(text))) for text in templates]
    patterns.append(re.compile(r"still .*"))
    counts = re.sub(r"[\d,]+", "N", watch.counts_line(1, SealedTotal("m", 1, 1), CountedTotal("t", 1, 1)))
    retried = re.compile(r" · \w+\.\w+ failed, is tried again \(\d of \d\)$")
    assert "failed, is tried again (" in (PROJECT / "local" / "task_failures.py").read_text()
    for line in shown:
        count = retried.sub("", line)
        is_count = re.sub(r" +", " ", re.sub(r"[\d,]+", "N", count)) == re.sub(r" +", " ", counts)
        assert is_count or any(p.fullmatch(line) for p in patterns), f"no code says: {line}"
    assert any("SELECT COUNT(*)" in line for line in shown)


def test_the_output_ends_when_two_minutes_are_proven_and_as_the_code_says_it() -> None:
    last = [line for line in run_output().splitlines() if "SELECT COUNT(*)" in line][-1]
    records, minutes, counted, distinct = (
        int(n.replace(",", ""))
        for n in re.findall(r"sealed +([\d,]+) in (\d+) min.*?\) +([\d,]+).*?([\d,]+)$", last)[0]
    )
    assert watch.is_proven(SealedTotal("m", minutes, records), CountedTotal("t", counted, distinct))
    assert re.search(r"\nRunning after \d+ s, until ./ticklake down\n", run_output())
    assert "Running after {elapsed():.0f} s, until ./ticklake down" in sources()


def test_each_path_of_the_readme_is_there() -> None:
    made_in_s3 = ("raw/", "rejected/", "manifests/", "counts/", "curated/", ".ticklake/")
    for path in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", README) + re.findall(r"\binclude/[\w/.-]+\w", README):
        if not path.startswith(made_in_s3):
            assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("name", re.findall(r"TICKLAKE_[A-Z_]+", README))
def test_each_variable_of_the_readme_is_read_somewhere(name: str) -> None:
    code = "".join(file.read_text() for folder in ("local", "plugins") for file in (PROJECT / folder).rglob("*.py"))
    assert name in code or f'"{name.removeprefix("TICKLAKE_").lower()}"' in code or name == "TICKLAKE_CRAWLER"


def test_the_index_of_decisions_lists_every_file_in_order() -> None:
    folder = PROJECT / "docs" / "decisions"
    files = sorted(folder.glob("[0-9]*.md"))
    expected = []
    for file in files:
        number, _, title = file.read_text().splitlines()[0].removeprefix("# ").partition(". ")
        assert int(number) == int(file.name[:4]), f"{file.name}: its title has another number"
        expected.append(f"- [{file.name[:4]}]({file.name}) {title}")
    listed = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("- ")]
    assert listed == expected, "docs/decisions/README.md should list:\n" + "\n".join(expected)


@pytest.mark.parametrize("file", sorted((PROJECT / "docs" / "decisions").glob("[0-9]*.md")), ids=lambda f: f.stem)
def test_a_decision_tells_context_decision_alternatives_consequences_on_less_than_a_page(file: Path) -> None:
    text = file.read_text()
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == [
        "Context",
        "Decision",
        "Alternatives",
        "Consequences",
    ]
    assert len(text.splitlines()) < 45
