"""`python -m tests.soak.mock FILE SECONDS serve …`: `arkor-mock`, which tells what it uses of its memory.

It writes that into a file, again and again.
"""

import json
import sys
import threading
import time
from pathlib import Path

from attrs import asdict

from mock_server.__main__ import main
from tests.soak.memory import InUse


def tell(path: Path, pause: float) -> None:
    """Write what this process uses; readers see a whole file."""
    while True:
        time.sleep(pause)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(InUse.now())), "utf-8")
        draft.replace(path)


if __name__ == "__main__":
    given = (Path(sys.argv.pop(1)), float(sys.argv.pop(1)))
    threading.Thread(target=tell, args=given, name="memory", daemon=True).start()
    sys.exit(main())
