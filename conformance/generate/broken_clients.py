"""Record how the kit's broken clients fail: `python -m conformance.generate.broken_clients`.

The command takes several seconds per client. Given the names of some clients, it tries only those
again and keeps the recorded failures of the others.
"""

import sys
from collections.abc import Sequence
from typing import Final

import anyio

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.diagnosis.broken_clients import RECORD, BrokenClient, broken_clients, written
from conformance.mutants import Mutant, all_mutants
from conformance.mutants.explanations import Explainer
from mock_server.net.kernel import LOOP

_PATIENCE: Final = 2.0
_LANES: Final = 2


async def play(mutants: Sequence[Mutant], cases: Sequence[Case]) -> Sequence[BrokenClient]:
    """Run the cases with each mutant and return how it fails, or raise DriverUnusable."""
    explainer = await Explainer.prepared(cases, load_requirements(), _PATIENCE, _LANES)
    found: list[BrokenClient] = []
    for number, mutant in enumerate(mutants, 1):
        found.append(await explainer.recorded(mutant))
        sys.stderr.write(f"{number} of {len(mutants)}: {mutant.name}\n")
    return found


def main(names: Sequence[str]) -> None:
    """Record how the mutants with these names fail; if no names are given, record all mutants."""
    chosen = [mutant for mutant in all_mutants() if not names or mutant.name in names]
    cases = load_cases(load_requirements())
    found = anyio.run(play, chosen, cases, backend_options=LOOP)
    known = {each.name: each for each in (*broken_clients(), *found)}
    ordered = [known[mutant.name] for mutant in all_mutants() if mutant.name in known]
    RECORD.write_text(written(ordered), "utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
