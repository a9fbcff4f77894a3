"""Start the stand-in: settings first (ministack reads its environment when it is imported), then the server."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

HOST = "127.0.0.1"


def settings(host: str, port: int, data: Path) -> dict[str, str]:
    """Ministack's environment: everything it keeps lies under ``data``, nothing but ``port`` is listened on."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": host,
        "MINISTACK_HOST": HOST,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data / "state"),
        "LOCALSTACK_PERSISTENCE": "1",
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(data / "s3"),
        "TMPDIR": str(data / "tmp"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{data / 'no-docker.sock'}",  # it would look for containers to remove
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local.aws", description=__doc__)
    parser.add_argument(
        "--host", default=HOST, help=f"the address to listen on (default {HOST}); a container's is 0.0.0.0"
    )
    parser.add_argument("--port", type=int, required=True, help="the port to listen on")
    parser.add_argument("--data", type=Path, required=True, help="folder of all state; made when missing")
    parser.add_argument("--log-level", default="WARNING", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--certificate", type=Path, help="PEM file; with --key it serves HTTPS, and nothing else")
    parser.add_argument("--key", type=Path, help="PEM file with the certificate's private key")
    parser.epilog = "AUTH=true in the environment makes it enforce IAM policies. SIGTERM stops it."
    return parser.parse_args()


def prepare(host: str, port: int, data: Path, log_level: str, env: MutableMapping[str, str]) -> None:
    """Set the environment and make the folders."""
    env.update(settings(host, port, data.resolve()))
    env["LOG_LEVEL"] = log_level
    for name in ("STATE_DIR", "S3_DATA_DIR", "TMPDIR"):
        Path(env[name]).mkdir(parents=True, exist_ok=True)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    args = arguments()
    prepare(args.host, args.port, args.data, args.log_level, os.environ)

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from local.aws import parsed
    from local.aws.server import application

    config = Config()
    config.bind = [f"{args.host}:{args.port}"]
    config.certfile, config.keyfile = args.certificate, args.key
    config.keep_alive_timeout = 75
    config.loglevel = args.log_level
    config.graceful_timeout = 2
    logging.getLogger("local.aws").setLevel(args.log_level)
    try:
        asyncio.run(serve(application(), config))
    except OSError as e:
        sys.exit(
            f"The AWS stand-in cannot listen on {args.host}:{args.port}: {e.strerror or e}. Choose another --port."
        )
    parsed.clear()
    logging.shutdown()
    os._exit(0)  # all state is written; a query that still computes must not hold the process


if __name__ == "__main__":
    main()
