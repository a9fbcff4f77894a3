"""What pip-audit says, and what may be concluded of it."""

from local import audit
from local.audit import AuditFindings, read


def test_a_vulnerable_package_is_named_with_its_advisory_and_the_remedy():
    document = {
        "dependencies": [
            {"name": "good", "version": "1", "vulns": []},
            {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1", "3"]}]},
            {"name": "worse", "version": "3", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]},
        ]
    }
    rows = (("bad", "2", "PYSEC-1", "2.1, 3"), ("worse", "3", "PYSEC-2", "-"))
    assert read(document) == AuditFindings(rows, (), 3)


def test_a_package_that_was_skipped_was_not_found_to_be_good():
    document = {
        "dependencies": [{"name": "uv", "skip_reason": "not found"}, {"name": "x", "version": "1", "vulns": []}]
    }
    assert read(document) == AuditFindings((), ("uv",), 1)


def test_every_lock_is_audited_by_itself_or_within_another():
    files = {file.stem for file in (audit.PROJECT / "locks").glob("*.in")}
    assert files == {*audit._LOCKS, "airflow"}  # docker.txt holds all of airflow.txt
