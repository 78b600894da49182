"""`python -m conformance.sweep`: simulate many outages with every strategy, on a Dask cluster."""

import sys

try:
    from conformance.sweep.command import main

    status = main()
except KeyboardInterrupt:  # during the imports: `main` handles its own
    sys.stderr.write("python -m conformance.sweep: interrupted\n")
    status = 130
sys.exit(status)
