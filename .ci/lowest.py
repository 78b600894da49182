"""Prints the lowest versions that pyproject.toml allows of what it names, as constraints for pip.

    python .ci/lowest.py >lowest.txt && pip install -c lowest.txt -e '.[test]'

Every direct dependency must have a lower bound, `name[extras]>=version`: without one there is no
version to test with, so it is an error. Our own extras and dependencies with an environment marker
are skipped.
"""

import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
OURS = "arkor-proto"
REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?>=(?P<version>[0-9][^,;\s]*)"
)


def lowest(project: dict[str, object]) -> dict[str, str]:
    """Return the lowest version of each direct dependency; raise ValueError where one has none."""
    table = project["project"]
    assert isinstance(table, dict)
    lists = [table["dependencies"], *table["optional-dependencies"].values()]
    found: dict[str, str] = {}
    for requirement in (each for each in chain.from_iterable(lists) if not each.startswith(OURS)):
        match = REQUIREMENT.match(requirement)
        if match is None:
            raise ValueError(f"{PROJECT.name}: {requirement!r} has no lower bound (name>=version)")
        if ";" not in requirement:
            found[match["name"].lower()] = match["version"]
    return found


if __name__ == "__main__":
    sys.stdout.writelines(
        f"{name}=={version}\n"
        for name, version in sorted(lowest(tomllib.loads(PROJECT.read_text("utf-8"))).items())
    )
