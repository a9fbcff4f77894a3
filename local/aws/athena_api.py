"""Athena's query operations: start, look, results, stop, list. Queries run in worker threads beside everything else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.aws import engine, host, permissions, sql, statements
from local.aws.catalog import QueryError
from local.aws.engine import Answer, Job, ScanLimitError
from local.aws.host import Reply
from local.aws.results import Column, Row, read_csv

log = logging.getLogger(__name__)
_AT_ONCE = 4
_REMEMBERED = 300  # finished queries
_PAGE = 1000
_pool = ThreadPoolExecutor(_AT_ONCE, "athena")
_running: dict[str, Job] = {}
_tasks: set[asyncio.Task[None]] = set()


def install() -> None:
    """Put the operations in the place of ministack's."""
    host.replace(host.athena, "_start_query_execution", start)
    host.replace(host.athena, "_get_query_execution", get)
    host.replace(host.athena, "_get_query_results", results)
    host.replace(host.athena, "_stop_query_execution", stop)
    host.replace(host.athena, "_list_query_executions", list_executions)


def recover() -> None:
    """After a restart no query runs: one that was cut off has failed."""
    for execution in host.everyones(host.athena._executions):
        if execution["Status"]["State"] in ("QUEUED", "RUNNING"):
            _end(execution, "FAILED", "GENERIC_INTERNAL_ERROR: the stand-in was stopped during the query.")


def start(request: dict[str, Any]) -> Reply:
    """StartQueryExecution."""
    statement, name = request.get("QueryString", ""), request.get("WorkGroup", "primary")
    workgroup = host.workgroup(name)
    if workgroup is None:
        return _refuse(f"WorkGroup {name} is not found.")
    if workgroup["State"] != "ENABLED":
        return _refuse(f"WorkGroup {name} is disabled.")
    repeated = _same_token(request)
    if repeated is not None:
        return repeated
    location = _output_location(request, workgroup["Configuration"])
    if not location:
        return _refuse(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    try:
        tree = None if statements.is_known(statement) else sql.parse(statement)
    except sql.MalformedQueryError as e:
        return _refuse(str(e), AthenaErrorCode="MALFORMED_QUERY")
    execution = _execution(request, tree is not None, name, location)
    context = execution["QueryExecutionContext"]
    limit = workgroup["Configuration"].get("BytesScannedCutoffPerQuery")
    job = Job(statement, tree, context["Database"], request.get("ExecutionParameters") or [], int(limit or 0) or None)
    identity = execution["QueryExecutionId"]
    host.executions()[identity] = execution
    _running[identity] = job
    _forget_old()
    _in_task(_run(execution, job))
    return host.reply({"QueryExecutionId": identity})


def get(request: dict[str, Any]) -> Reply:
    """GetQueryExecution."""
    execution = host.executions().get(request.get("QueryExecutionId", ""))
    return host.reply({"QueryExecution": _shown(execution)}) if execution else _not_found(request)


def results(request: dict[str, Any]) -> Reply:
    """GetQueryResults: the first page of a query begins with the column names, and they count."""
    execution = host.executions().get(request.get("QueryExecutionId", ""))
    if execution is None:
        return _not_found(request)
    state = execution["Status"]["State"]
    if state in ("QUEUED", "RUNNING"):
        return _refuse(f"Query has not yet finished. Current state: {state}")
    if state != "SUCCEEDED":
        return _refuse(f"Query did not finish successfully. Final query state: {state}")
    size = request.get("MaxResults") or _PAGE
    if not 1 <= size <= _PAGE:
        return _refuse(f"MaxResults is more than maximum allowed length {_PAGE}.")
    try:
        permissions.caller().require_objects("s3:GetObject", *_place(execution))
    except permissions.DeniedError as e:
        return host.refuse("AccessDeniedException", str(e))
    columns = [Column(*c) for c in execution["_columns"]]
    rows = _rows(execution, len(columns))
    if rows is None:
        return _refuse(f"Could not find results: {execution['ResultConfiguration']['OutputLocation']}")
    first = int(request.get("NextToken") or 0)
    page = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows[first : first + size]]
    metadata = {"ColumnInfo": [c.info() for c in columns]}
    more = {"NextToken": str(first + size)} if first + size < len(rows) else {}
    return host.reply({"UpdateCount": 0, "ResultSet": {"Rows": page, "ResultSetMetadata": metadata}, **more})


def stop(request: dict[str, Any]) -> Reply:
    """StopQueryExecution."""
    identity = request.get("QueryExecutionId", "")
    execution = host.executions().get(identity)
    if execution is None:
        return _not_found(request)
    if execution["Status"]["State"] in ("QUEUED", "RUNNING"):
        _end(execution, "CANCELLED", "Query cancelled by user")
        _in_task(_stop(identity))
    return host.reply({})


def list_executions(request: dict[str, Any]) -> Reply:
    """ListQueryExecutions: newest first."""
    name = request.get("WorkGroup", "primary")
    found = [i for i, e in reversed(list(host.executions().items())) if e["WorkGroup"] == name]
    first, size = int(request.get("NextToken") or 0), request.get("MaxResults") or 50
    more = {"NextToken": str(first + size)} if first + size < len(found) else {}
    return host.reply({"QueryExecutionIds": found[first : first + size], **more})


def _refuse(message: str, **extra: Any) -> Reply:
    return host.refuse("InvalidRequestException", message, **({"AthenaErrorCode": "INVALID_INPUT"} | extra))


def _not_found(request: dict[str, Any]) -> Reply:
    return _refuse(f"QueryExecution {request.get('QueryExecutionId')} was not found")


def _same_token(request: dict[str, Any]) -> Reply | None:
    token = request.get("ClientRequestToken")
    if not token:
        return None
    for identity, execution in reversed(list(host.executions().items())):
        if execution.get("_token") == token:
            if execution["Query"] != request.get("QueryString"):
                return _refuse("Idempotent parameters do not match")
            return host.reply({"QueryExecutionId": identity})
    return None


def _output_location(request: dict[str, Any], configuration: dict[str, Any]) -> str:
    of_workgroup: str = configuration.get("ResultConfiguration", {}).get("OutputLocation", "")
    of_request: str = request.get("ResultConfiguration", {}).get("OutputLocation", "")
    # CloudFormation's own default of EnforceWorkGroupConfiguration is true.
    enforced = configuration.get("EnforceWorkGroupConfiguration", bool(of_workgroup)) in (True, "true")
    return of_workgroup if enforced and of_workgroup else of_request or of_workgroup


def _execution(request: dict[str, Any], is_query: bool, workgroup: str, location: str) -> dict[str, Any]:
    identity = host.new_id()
    context = request.get("QueryExecutionContext", {})
    words = request["QueryString"].split()
    kind = (
        "DML" if is_query else "DDL" if words and words[0].upper() in ("CREATE", "ALTER", "DROP", "MSCK") else "UTILITY"
    )
    version = "Athena engine version 3"
    return {
        "QueryExecutionId": identity,
        "Query": request["QueryString"],
        "StatementType": kind,
        "ResultConfiguration": {"OutputLocation": f"{location.rstrip('/')}/{identity}.{'csv' if is_query else 'txt'}"},
        "QueryExecutionContext": {
            "Database": context.get("Database", "default").lower(),
            "Catalog": context.get("Catalog", "awsdatacatalog").lower(),
        },
        "ExecutionParameters": request.get("ExecutionParameters") or [],
        "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        "Statistics": {"DataScannedInBytes": 0, "TotalExecutionTimeInMillis": 0, "EngineExecutionTimeInMillis": 0},
        "WorkGroup": workgroup,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": version},
        "_token": request.get("ClientRequestToken"),
    }


def _in_task(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _stop(identity: str) -> None:
    """An interrupt that comes between two steps of a query is lost: repeat it until the query is gone."""
    while identity in _running:
        _running[identity].stop()
        await asyncio.sleep(0.05)


async def _run(execution: dict[str, Any], job: Job) -> None:
    began = time.time()
    state, reason = await _outcome(execution, job)
    milliseconds = int((time.time() - began) * 1000)
    execution["Statistics"] = {
        "DataScannedInBytes": job.scanned,
        "EngineExecutionTimeInMillis": milliseconds,
        "TotalExecutionTimeInMillis": milliseconds,
    }
    if execution["Status"]["State"] != "CANCELLED":  # else it was stopped; how it ended is of no interest
        _end(execution, state, reason)
    _running.pop(execution["QueryExecutionId"], None)


async def _outcome(execution: dict[str, Any], job: Job) -> tuple[str, str]:
    """The state that the query ends in, and why."""
    try:
        answer = await asyncio.wrap_future(host.submit(_pool, _work, execution, job))
        if not job.stopped:
            _write(execution, answer)
    except ScanLimitError as e:
        return "CANCELLED", str(e)
    except (QueryError, host.HostError) as e:
        return "FAILED", str(e)
    except Exception as e:
        log.exception("Query %s failed.", execution["QueryExecutionId"])
        return "FAILED", f"GENERIC_INTERNAL_ERROR: not emulated by the local stand-in: {e!r}"
    return "SUCCEEDED", ""


def _work(execution: dict[str, Any], job: Job) -> Answer:
    job.check()
    execution["Status"]["State"] = "RUNNING"
    return engine.run(job)


def _write(execution: dict[str, Any], answer: Answer) -> None:
    bucket, (key,) = _place(execution)
    if not host.has_bucket(bucket):
        raise QueryError(f"Unable to verify/create output bucket {bucket}")
    try:
        caller = permissions.caller()
        caller.require("s3:GetBucketLocation", [f"arn:aws:s3:::{bucket}"])
        caller.require_objects("s3:PutObject", bucket, [key])
    except permissions.DeniedError as e:
        raise QueryError(f"Access denied when writing output to url: s3://{bucket}/{key}. {e}") from e
    host.put_object(bucket, key, answer.body.encode(), "text/csv" if key.endswith(".csv") else "text/plain")
    execution["_columns"] = [[c.name, c.kind] for c in answer.columns]


def _rows(execution: dict[str, Any], width: int) -> list[Row] | None:
    bucket, (key,) = _place(execution)
    body = host.get_object(bucket, key)
    if body is None:
        return None
    if key.endswith(".csv"):
        return list(read_csv(body.decode(), width))
    return [[line] for line in body.decode().splitlines()]


def _place(execution: dict[str, Any]) -> tuple[str, list[str]]:
    """Bucket and key of the result."""
    bucket, _, key = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    return bucket, [key]


def _end(execution: dict[str, Any], state: str, reason: str = "") -> None:
    status = execution["Status"] | {"State": state, "CompletionDateTime": time.time()}
    if reason:
        status["StateChangeReason"] = reason
    if state == "FAILED":  # category 1 is an error of the system, 2 one of the user
        category = 1 if reason.startswith("GENERIC_INTERNAL_ERROR") else 2
        status["AthenaError"] = {"ErrorCategory": category, "Retryable": False, "ErrorMessage": reason}
    execution["Status"] = status


def _shown(execution: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in execution.items() if not k.startswith("_")}


def _forget_old() -> None:
    store = host.executions()
    finished = [i for i in list(store) if i not in _running]
    for identity in finished[: max(0, len(finished) - _REMEMBERED)]:
        store.pop(identity, None)
