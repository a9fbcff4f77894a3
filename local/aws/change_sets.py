"""Two things of change sets that ministack does not do: conditions, and taking over a bucket that is there."""

from __future__ import annotations

from typing import Any

from local.aws import host


def install() -> None:
    """Put them around ministack's functions."""
    resolve, execute = host.changesets._resolve_props_for_diff, host.changesets._execute_change_set
    evaluate = host.changesets._evaluate_conditions

    def resolve_what_is_made(template: Any, parameters: Any, *more: Any) -> Any:
        """A resource whose condition does not hold is neither added nor there."""
        holds = evaluate(template, parameters) if template else {}
        resources = resolve(template, parameters, *more).get("Resources", {})
        return {"Resources": {n: r for n, r in resources.items() if holds.get(r.get("Condition"), True)}}

    def execute_with_imports(parameters: Any) -> Any:
        """Ministack's check before a deployment takes the name of a bucket to be imported for taken."""
        _, found = host.changesets._find_change_set(
            *(host.changesets._p(parameters, n) for n in ("ChangeSetName", "StackName"))
        )
        if found and found["_import_existing"]:
            found["_disable_validation"] = True
        return execute(parameters)

    host.replace(host.changesets, "_resolve_props_for_diff", resolve_what_is_made)
    host.cloudformation._ACTION_HANDLERS["ExecuteChangeSet"] = execute_with_imports
