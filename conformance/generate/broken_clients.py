"""Record how the kit's broken clients fail: `python -m conformance.generate.broken_clients`.

It takes several seconds for each of them. With names, only these are played again.
"""

import sys
from collections.abc import Sequence
from typing import Final

import anyio

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.diagnosis.broken_clients import RECORD, BrokenClient, Record, record, written
from conformance.mutants import Mutant, all_mutants
from conformance.mutants.explanations import Explainer
from mock_server.net.kernel import LOOP

_PATIENCE: Final = 2.0
_LANES: Final = 2


async def play(mutants: Sequence[Mutant], cases: Sequence[Case] | None = None) -> Record:
    """Return how these mutants fail; raises DriverUnusable."""
    requirements = load_requirements()
    chosen = load_cases(requirements) if cases is None else cases
    explainer = await Explainer.prepared(chosen, requirements, _PATIENCE, _LANES)
    found: list[BrokenClient] = []
    for number, mutant in enumerate(mutants, 1):
        found.append(await explainer.recorded(mutant))
        sys.stderr.write(f"{number} of {len(mutants)}: {mutant.name}\n")
    return Record(explainer.plays, tuple(found))


def main(names: Sequence[str]) -> None:
    """Play the mutants of these names, or all, and write the record."""
    chosen = [mutant for mutant in all_mutants() if not names or mutant.name in names]
    found = anyio.run(play, chosen, backend_options=LOOP)
    known = {each.name: each for each in (*record().clients, *found.clients)}
    ordered = tuple(known[mutant.name] for mutant in all_mutants() if mutant.name in known)
    RECORD.write_text(written(Record(found.plays, ordered)), "utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
