"""The driver for mutants: it runs the reference client with one or more mutations applied.

`python -m conformance.mutants.driver NAME...`
"""

import sys

import anyio

from conformance.drivers.python import translation as to
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import serve
from conformance.mutants import all_mutants, benign_variants
from mock_server.strict.shapes import nearest


def main(*names: str) -> None:
    """Apply the mutants with these names, then serve as a driver; exit with an error if one is unknown."""
    known = {mutant.name: mutant for mutant in (*all_mutants(), *benign_variants())}
    for name in names:
        if name not in known:
            sys.exit(f"mutant {name!r}: no such mutant; {nearest(name, known)}")
        known[name].apply()
    anyio.run(serve, to.HELLO, open_client, to.explain)


if __name__ == "__main__":
    main(*(sys.argv[1:] or [""]))
