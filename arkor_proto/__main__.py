"""Makes `python -m arkor_proto` run the command `arkor-proto`."""

import sys

from arkor_proto.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
