"""`python -m tests.soak.mock`: `arkor-mock`, which gives the memory that it does not use back to the system.

So its resident memory is what it uses, and not what the allocator of the C library keeps for later.
"""

import sys
import threading
import time
from typing import Final

from mock_server.__main__ import main
from tests.soak.memory import give_back

_EVERY: Final = 30.0


def keep_tidy() -> None:
    """Give memory back, again and again."""
    while True:
        time.sleep(_EVERY)
        give_back()


if __name__ == "__main__":
    threading.Thread(target=keep_tidy, name="tidy", daemon=True).start()
    sys.exit(main())
