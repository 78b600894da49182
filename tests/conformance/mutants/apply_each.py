"""Apply every mutant and variant in its own process, and print those that cannot be applied.

`python -m tests.conformance.mutants.apply_each`. A mutant cannot be undone, hence the processes; they
are forked, so that imports happen only once.
"""

import os
import traceback

from conformance.mutants import Mutant, all_mutants, benign_variants


def apply(mutant: Mutant) -> None:
    """Apply the mutant, or say why that is impossible, and exit."""
    try:
        mutant.apply()
    except Exception as error:  # noqa: BLE001 - every reason is reported
        place = traceback.extract_tb(error.__traceback__)[-1].line
        print(f"{mutant.name}: {type(error).__name__}: {error} (at {place})", flush=True)  # noqa: T201 - its parent reads it
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    for each in (*all_mutants(), *benign_variants()):
        child = os.fork()
        if child == 0:
            apply(each)
        os.waitpid(child, 0)
