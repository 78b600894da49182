"""Run the commands of a page in a shell, with the commands of this checkout."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = {
    "arkor-proto": "arkor_proto",
    "arkor-mock": "mock_server",
    "arkor-conformance": "conformance",
    "pytest": "pytest -p no:cacheprovider -p no:randomly",
    "python": "",
}


def search_path(folder: Path) -> str:
    """Return a search path on which the commands are those of this checkout; `folder` has them."""
    programs = folder / "bin"
    programs.mkdir()
    for name, module in MODULES.items():
        run = f"-m {module}" if module else ""
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {run} "$@"\n', "utf-8")
        program.chmod(0o755)
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


def environment(path: str) -> Mapping[str, str]:
    """Return the environment of a command that is found on `path`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return {**kept, **own, "PYTHONUNBUFFERED": "1"}  # so that both outputs are in order
