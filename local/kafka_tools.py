"""Kafka's own command line tools under their usual names: `./ticklake kafka topics --describe`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from local.jars import class_path
from local.kafka import tool
from local.processes import PartError
from local.stack import Stack
from ticklake.core.errors import SettingsError


@dataclass(frozen=True)
class Tool:
    """A tool: its Java class, what it is for, whether it talks to the cluster or reads files."""

    main: str
    purpose: str
    talks: bool = True


_CLUSTER = "--bootstrap-server"
_SETTINGS = "--command-config"
_OLD_SETTINGS = ("--consumer.config", "--producer.config", "--consumer-config", "--admin.config")
_ORG = "org.apache.kafka.tools"
TOOLS = {
    "acls": Tool(f"{_ORG}.AclCommand", "who may do what"),
    "broker-api-versions": Tool(f"{_ORG}.BrokerApiVersionsCommand", "requests that each broker understands"),
    "client-metrics": Tool(f"{_ORG}.ClientMetricsCommand", "metrics that clients send"),
    "cluster": Tool(f"{_ORG}.ClusterTool", "cluster id; unregister a broker"),
    "configs": Tool("kafka.admin.ConfigCommand", "show and change settings of topics and brokers"),
    "console-consumer": Tool(f"{_ORG}.consumer.ConsoleConsumer", "print records of a topic"),
    "console-producer": Tool(f"{_ORG}.ConsoleProducer", "send lines that you type as records"),
    "console-share-consumer": Tool(f"{_ORG}.consumer.ConsoleShareConsumer", "print records through a share group"),
    "consumer-groups": Tool(f"{_ORG}.consumer.group.ConsumerGroupCommand", "groups, their offsets and lag"),
    "consumer-perf-test": Tool(f"{_ORG}.ConsumerPerformance", "how fast records are read"),
    "delete-records": Tool(f"{_ORG}.DeleteRecordsCommand", "delete records before an offset"),
    "dump-log": Tool(f"{_ORG}.DumpLogSegments", "what a log file holds", talks=False),
    "features": Tool(f"{_ORG}.FeatureCommand", "versions of the cluster's features"),
    "get-offsets": Tool(f"{_ORG}.GetOffsetShell", "offsets of a topic's partitions, by time too"),
    "groups": Tool(f"{_ORG}.GroupsCommand", "groups of every kind"),
    "leader-election": Tool(f"{_ORG}.LeaderElectionCommand", "elect partition leaders"),
    "log-dirs": Tool(f"{_ORG}.LogDirsCommand", "bytes on disk per broker and partition"),
    "metadata-quorum": Tool(f"{_ORG}.MetadataQuorumCommand", "the KRaft controllers and their leader"),
    "producer-perf-test": Tool(f"{_ORG}.ProducerPerformance", "how fast records are written"),
    "reassign-partitions": Tool(f"{_ORG}.reassign.ReassignPartitionsCommand", "move partitions between brokers"),
    "topics": Tool(f"{_ORG}.TopicCommand", "list, describe, create, change topics"),
    "transactions": Tool(f"{_ORG}.TransactionsCommand", "transactions under way"),
}


def run_tool(stack: Stack, arguments: Sequence[str]) -> int:
    """List the tools, or go on as one of them against the stack's cluster: Ctrl-C and exit code are then the tool's."""
    if not arguments:
        width = max(map(len, TOOLS))
        print("\n".join(f"{name:<{width}}  {tool.purpose}" for name, tool in TOOLS.items()))
        return 0
    name = arguments[0].removeprefix("kafka-").removesuffix(".sh")
    if name not in TOOLS:
        raise SettingsError(f"{arguments[0]!r} is not one of Kafka's tools.", "./ticklake kafka lists them.")
    if TOOLS[name].talks and not any(stack.alive(broker.name) for broker in stack.brokers()):
        raise PartError("Kafka does not run.", "Start the stack: ./ticklake up")
    settings = stack.security.tool_settings() if stack.security else None
    words = _with_cluster(TOOLS[name], arguments[1:], stack.bootstrap, settings)
    return _go_on_as(tool(class_path(stack.home), TOOLS[name].main, words))


def _go_on_as(command: list[str]) -> NoReturn:
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


def _with_cluster(tool: Tool, arguments: Sequence[str], bootstrap: str, settings: Path | None) -> list[str]:
    """The arguments, and how to reach the cluster unless they say it or only ask for help.

    ``settings`` is the file of a secured cluster's client.
    """
    given = {argument.partition("=")[0] for argument in arguments}
    if not tool.talks or {"--help", "--version"} & given:
        return list(arguments)
    option = [] if {_CLUSTER, "--bootstrap-controller"} & given else [_CLUSTER, bootstrap]
    if settings and not {_SETTINGS, *_OLD_SETTINGS} & given:
        option += [_SETTINGS, str(settings)]
    # Where a tool has subcommands, the option stands before them; only ClusterTool wants it behind.
    return [*arguments, *option] if tool is TOOLS["cluster"] else [*option, *arguments]
