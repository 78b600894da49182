"""The directive `help`: what a command prints for `--help`, under a heading of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

MODULES: Final = {
    "arkor-proto": "arkor_proto",
    "arkor-mock": "mock_server",
    "arkor-conformance": "conformance",
}


class Help(SphinxDirective):
    """```{help} arkor-mock serve``` runs `arkor-mock serve --help`."""

    required_arguments: ClassVar = 1
    final_argument_whitespace: ClassVar = True

    def run(self) -> list[nodes.Node]:
        """Return the output as a block of text."""
        command, *words = self.arguments[0].split()
        done = subprocess.run(  # noqa: S603 - a command of this project
            [sys.executable, "-P", "-m", MODULES[command], *words, "--help"],
            env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
            | {"PYTHONPATH": str(Path(self.env.srcdir).parent)},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        return [nodes.literal_block(done.stdout, done.stdout.rstrip(), language="text")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Set the extension up."""
    app.add_directive("help", Help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
