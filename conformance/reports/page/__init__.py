"""Write the report on a run as one HTML page that needs no network and no other file.

This module packs the data and embeds it safely. `page.html`, `page.css` and the scripts next to
them decide how the page shows the data.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import define, field
from markupsafe import Markup

from conformance.plain import one_line, seen, visible
from conformance.reports.digest import Cause, causes, parted_at, sentence_of
from conformance.reports.published import addresses
from conformance.reports.standalone import rendered
from conformance.reports.summary import all_notes, in_a_sentence, left_out, level, missing, who
from conformance.strict_data import Json, Table

_HERE: Final = Path(__file__).parent
_SCRIPTS: Final = (
    *("page", "overview", "backend", "causes", "filters", "lists"),
    *("case", "timeline", "diagram", "start"),
)
"""The scripts, in their order on the page; the first has shared code, the last starts the page."""


def page(run: Mapping[str, Json]) -> str:
    """Return the HTML page; text from the client is embedded only as data."""
    top = Table("run", run)
    return rendered(
        "page/page.html",
        (_HERE / "page.css").read_text("utf-8"),
        # The script is from this package; only `data` and `title` come from outside.
        script=Markup("".join(_script())),  # noqa: S704 - ours, or escaped
        data=Markup(_embedded(_Packing().run(top))),  # noqa: S704 - ours, or escaped
        partial=missing(top),
        title=who(top),
        profiles=[
            (one_line(each.text("name")), one_line(each.text("verdict")))
            for each in top.tables("profiles")
        ],
    )


def _script() -> Iterator[str]:
    for name in _SCRIPTS:
        yield (_HERE / f"{name}.js").read_text("utf-8")


def _embedded(value: Json) -> str:
    """Return JSON that is safe inside a script element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    # Only "<" could begin a tag or comment there; a JSON escape does not change the string.
    return text.replace("<", "\\u003c")


@define
class _Packing:
    """Packs a run. Thousands of results share a few texts, so each text is stored only once."""

    _places: dict[str, int] = field(factory=dict[str, int], init=False)

    def run(self, run: Table) -> Json:
        """Return the data for the page, with the control characters in its texts escaped."""
        judged = run.text("judged")
        results = [self._result(result, judged) for result in run.tables("results")]
        return {
            "kit": visible(run.text("kit")),
            "date": visible(run.text("date")),
            "host": visible(run.text("host")),
            "said": visible(in_a_sentence(run)),
            "notes": seen([*run.texts("notes"), *all_notes(run)]),
            "judged": visible(judged),
            "name": visible(who(run)),
            "client": seen(run.raw("client")),
            "backend": seen(run.raw("backend")),
            "bounds": seen(run.raw("bounds")),
            "seconds": run.number("seconds"),
            "time": seen(run.raw("time")),
            "stack": seen(run.raw("stack")),
            "specification": seen(run.raw("specification")),
            "partial": seen(run.raw("partial")),
            "profiles": [self._profile(profile) for profile in run.tables("profiles")],
            "not_applicable": [self._left_out(group) for group in run.tables("not_applicable")],
            "causes": [_cause(cause) for cause in causes(run)],
            "requirements": seen(run.raw("requirements")),
            "published": self._published(run.table("requirements")),
            "events": [_event(event) for event in run.tables("events")],
            "results": results,
            "texts": list(self._places),
        }

    @staticmethod
    def _published(requirements: Table) -> Json:
        """Return the web addresses of the rules in the run."""
        return {rule: at for rule, at in addresses().items() if requirements.has(rule)}

    def _profile(self, profile: Table) -> Json:
        """Return a profile with its summary, which is worded the same in all reports."""
        said = {"MUST": level(profile, "MUST"), "SHOULD": level(profile, "SHOULD")}
        kept = ("name", "rank", "verdict", "unplayed", "counts", "rules")
        return seen({**{key: profile.raw(key) for key in kept}, "said": said})

    def _left_out(self, group: Table) -> Json:
        return seen({**group.values, "said": left_out(group)})

    def _result(self, result: Table, judged: str) -> Json:
        shared = [self._place(rule) for rule in result.texts("requires")]
        own = {
            key: seen(value)
            for key, value in result.values.items()
            if key not in {"why", "requires"}
        }
        begins = result.raw("begins")
        return {
            **own,
            "why": self._place(result.text("why")),
            "requires": shared,
            "here": parted_at(result),
            "said": "" if begins is None else visible(sentence_of(result.table("begins"), judged)),
        }

    def _place(self, text: str) -> int:
        return self._places.setdefault(visible(text), len(self._places))


def _event(event: Table) -> Json:
    """Return an event as a list for the scripts: sender, receiver, kind, text."""
    return [seen(event.raw(key)) for key in ("who", "to", "kind", "text")]


def _cause(cause: Cause) -> Json:
    """Return a cause, worded the same in all reports; `results` has the indices of its results."""
    return {
        "sentence": visible(cause.sentence),
        "hints": seen(list(cause.hints)),
        "rule": visible(cause.rule),
        "warning": cause.values.flag("warning"),
        "results": cause.values.raw("results"),
    }
