"""`python -m tests.benchmarks.peers` compares; see docs/peers.md."""

import sys

UNUSABLE = 2
INTERRUPTED = 130

try:
    from tests.benchmarks.peers.command import main
except ModuleNotFoundError as missing:
    sys.stderr.write(f"{missing.name} is not installed; type: pip install -e '.[test,peers]'\n")
    sys.exit(UNUSABLE)
except KeyboardInterrupt:
    sys.stderr.write("interrupted\n")
    sys.exit(INTERRUPTED)

if __name__ == "__main__":
    sys.exit(main())
