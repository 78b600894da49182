"""Apply every mutant and every variant, each in a process of its own, and print which cannot be.

`python -m tests.conformance.mutants.apply_each`. What a mutant replaces stays replaced, hence the processes;
they are forked, so that nothing is imported three hundred times.
"""

import os
import traceback

from conformance.mutants import Mutant, all_mutants, benign_variants


def apply(mutant: Mutant) -> None:
    """Become the mutant, or say why that cannot be, and end."""
    try:
        mutant.apply()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it is what is asked
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
