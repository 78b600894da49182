"""Files as users write them: read from the disk, and either right or refused in plain words."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mock_server.strict.shapes import ScenarioError

T = TypeVar("T")


def read_file(name: str, data: bytes, read: Callable[[Path], T]) -> T | None:
    """Return what `read` makes of a file; None if it refuses the file and says why.

    Raises AssertionError for a refusal that names no file.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            return read(path)
        except ScenarioError as error:
            for mistake in error.mistakes:
                assert name in mistake, f"no file is named: {mistake!r}"
                assert not mistake.endswith((": ", name)), f"nothing is said: {mistake!r}"
    return None
