"""Compares what survived in the last `mutmut run` with the list of the README beside this file.

    python -m tests.mutation.verdict

Prints the survivors that the list does not explain, and what it explains that is no survivor. The
exit status is 1 if there are any. A mutant is known by its changed lines, not by its number, which
changes with every line above.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

README: Final = Path(__file__).with_name("README.md")
MUTMUT: Final = (sys.executable, "-m", "mutmut")


def explained() -> list[str]:
    """Return the changes that the README explains, each as lines that begin with `-` or `+`."""
    return re.findall(r"^```diff\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def survivors() -> list[str]:
    """Return the changes that no test has noticed; a run that did not come to its end is an error."""
    results = re.findall(r"^ *(\S+): (.+)$", _mutmut("results"), re.MULTILINE)
    if untried := sum(status == "not checked" for _, status in results):
        sys.exit(f"{untried} mutants were not tried yet; run mutmut to its end first")
    names = [name for name, status in results if status != "timeout"]
    return [_changed_lines(_mutmut("show", name)) for name in names]


def _changed_lines(diff: str) -> str:
    """Return the lines of a diff that it removes or adds, without the names of the files."""
    lines = re.findall(r"^(?!---|\+\+\+)[-+].*\n", diff, re.MULTILINE)
    return "".join(lines)


def _mutmut(*arguments: str) -> str:
    done = subprocess.run([*MUTMUT, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def main() -> int:
    """Print the verdict."""
    left, listed = survivors(), explained()
    new = [change for change in left if change not in listed]
    gone = [change for change in listed if change not in left]
    for title, changes in (("not explained", new), ("explained, but killed", gone)):
        for change in changes:
            sys.stdout.write(f"{title}:\n{change}\n")
    known = len(left) - len(new)
    sys.stdout.write(f"{len(left)} survivors: {known} explained, {len(new)} not\n")
    return bool(new or gone)


if __name__ == "__main__":
    sys.exit(main())
