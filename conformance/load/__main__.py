"""`python -m conformance.load`: print the path of the locustfile, for `locust -f`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.stdout.write(f"{Path(__file__).with_name('locustfile.py')}\n")
