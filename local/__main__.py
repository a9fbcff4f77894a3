"""``python -m local``: the launcher, and Ctrl-C in one line even while its modules are loaded."""

import sys

try:
    from local.launcher import main

    sys.exit(main(sys.argv[1:]))
except KeyboardInterrupt:
    sys.stderr.write("ticklake: stopped by Ctrl-C. The same command goes on from here.\n")
    sys.exit(130)
