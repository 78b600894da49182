"""`python -m tests.soak`: follow jobs for minutes while the backend breaks their streams."""

import sys

try:
    from tests.soak.command import main, start_without_caches

    start_without_caches()
    status = main()
except KeyboardInterrupt:  # during the imports: `main` handles its own
    sys.stderr.write("soak: interrupted\n")
    status = 130
sys.exit(status)
