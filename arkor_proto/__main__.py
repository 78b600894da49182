"""Make `python -m arkor_proto` run the `arkor-proto` command."""

import sys

from arkor_proto.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
