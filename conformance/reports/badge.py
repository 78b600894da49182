"""Turn a run into a badge: the JSON that a shields.io endpoint badge is drawn from.

The badge is green only if every judged profile conforms without restriction; otherwise its text
says what is missing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.plain import one_line
from conformance.reports.summary import BACKEND, UNRANKED
from conformance.strict_data import Json, Table

_CONFORMING: Final = ("conforms", "conforms in part", "conforms except for known failures")
_DIGITS: Final = 8


def badge(run: Mapping[str, Json]) -> str:
    """Return the badge; its label gives the specification's version and a hash of the cases."""
    top = Table("run", run)
    about = top.table("specification")
    profiles = [each for each in top.tables("profiles") if each.text("rank") not in UNRANKED]
    message = "; ".join(_message(profiles)) or "not judged"
    what = "arkor backend" if run["judged"] == BACKEND else "arkor"
    label = f"{what} {about.text('version')} ({about.text('cases')[:_DIGITS]})"
    content = {
        "schemaVersion": 1,
        "label": one_line(label),
        "message": one_line(message),
        "color": _colour([profile.text("rank") for profile in profiles]),
    }
    return json.dumps(content) + "\n"


def _message(profiles: Sequence[Table]) -> Iterator[str]:
    """Yield each verdict once, with the names of the profiles that received it."""
    found: dict[str, list[str]] = {}
    for profile in profiles:
        remarks = profile.texts("remarks")
        said = profile.text("verdict") + (f" ({'; '.join(remarks)})" if remarks else "")
        found.setdefault(said, []).append(profile.text("name"))
    for said, names in found.items():
        if said == "conforms":
            yield f"conforms to {', '.join(names)}"
        elif said == "does not conform":
            yield f"does not conform to {', '.join(names)}"
        else:
            yield f"{', '.join(names)}: {said}"


def _colour(ranks: Sequence[str]) -> str:
    if not ranks:
        return "lightgrey"
    if all(rank == "conforms" for rank in ranks):
        return "brightgreen"
    if all(rank in _CONFORMING for rank in ranks):
        return "yellow"
    if any(rank in _CONFORMING for rank in ranks):
        return "orange"
    return "red" if "does not conform" in ranks else "lightgrey"
