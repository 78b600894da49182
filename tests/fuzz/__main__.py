"""`python -m tests.fuzz`: fuzz targets with atheris, or replay what was kept without it."""

import sys

try:
    from tests.fuzz.command import main

    status = main(sys.argv[1:])
except KeyboardInterrupt:
    sys.stderr.write("tests.fuzz: interrupted; the corpus is as it was\n")
    status = 130
sys.exit(status)
