"""The part that keeps the stack small: each hour it removes what is older than TICKLAKE_KEEP_DAYS, an hour's share at a time.

Small itself: between two rounds only this loop is there; a round is a program of its own, which loads Airflow and ends.
Results of queries are not its business: the bucket's lifecycle rules remove them, on AWS as on the stand-in.
"""

from __future__ import annotations

import subprocess
import sys
import time

ROUND = ("-P", "-m", "ticklake.orchestration.housekeeping")
_MINUTE = 40  # of each hour: the hourly DAGs run at 0 and 10


def main() -> None:
    """Until SIGTERM."""
    while True:
        time.sleep(seconds_until_round(time.time()))
        code = subprocess.call([sys.executable, *ROUND])
        if code:
            print(f"ERROR: the round ended with {code}; the next one is in an hour.", flush=True)


def seconds_until_round(now: float) -> float:
    """From now (Unix time) to the next round; a whole hour at its very moment."""
    return 3600 - (now - 60 * _MINUTE) % 3600


if __name__ == "__main__":
    main()
