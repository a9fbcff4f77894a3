"""The part that keeps the stack small: each hour it removes what is older than TICKLAKE_KEEP_DAYS, an hour's share at a time.

Small itself: between two rounds only this loop is there; a round is a program of its own, which loads Airflow and ends.
Results of queries are not its business: the bucket's lifecycle rules remove them, on AWS as on the stand-in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

ROUND = ("-P", "-m", "ticklake.orchestration.housekeeping")
# What `status` reads of each manifest is remembered: an hour's 60 now, so that it need not read a month's 43,200 then.
_LOOK = ("-P", "-m", "local", "status", "--json")
OURS = ("TICKLAKE_HOME", "TICKLAKE_TOOLS", "TICKLAKE_PORT_BASE")
_MINUTE = 40  # of each hour: the hourly DAGs run at 0 and 10


def main() -> None:
    """Until SIGTERM."""
    while True:
        time.sleep(seconds_until_round(time.time()))
        # To the pipeline the launcher's own names would be unknown settings.
        env = {name: value for name, value in os.environ.items() if name not in OURS}
        code = subprocess.call([sys.executable, *ROUND], env=env)
        subprocess.call([sys.executable, *_LOOK], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if code:
            print(f"ERROR: the round ended with {code}; the next one is in an hour.", flush=True)


def seconds_until_round(now: float) -> float:
    """From now (Unix time) to the next round; a whole hour at its very moment."""
    return 3600 - (now - 60 * _MINUTE) % 3600


if __name__ == "__main__":
    main()
