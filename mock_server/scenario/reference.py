"""The catalogue of faults, written from the vocabulary itself, one scenario for each word.

It knows how to print what `model.py` says. It refuses to say anything that the code does not.
`python -m mock_server.scenario.reference` writes the published files anew.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from mock_server.scenario.files import scenario_from_toml, scenario_schema
from mock_server.scenario.model import (
    BackendPlan,
    JobPlan,
    Limits,
    Rule,
)
from mock_server.scenario.vocabulary import Select
from mock_server.strict.words import words_of

EXAMPLES: Final[Mapping[str, str]] = {
    "accept": 'on = {connection = 1}\naccept = "rst"',
    "tls": 'on = {connection = 1}\ntls = "bad_certificate"',
    "listener": 'on = {route = "stream", attempt = 1}\nlistener = "down"',
    "listener_ms": 'on = {attempt = 1}\nlistener = "blackhole"\nlistener_ms = 500',
    "lose": 'on = {route = "create", attempt = 1}\nlose = "response"',
    "slow_read": 'on = {route = "create"}\nslow_read = 1000',
    "delay_ms": 'on = {route = "stream", frame = 3}\ndelay_ms = 250',
    "jitter_ms": 'on = {route = "stream", frame = "1-"}\ndelay_ms = 20\njitter_ms = 10',
    "status": 'on = {route = "stream", attempt = "1-2"}\nstatus = 503',
    "reason": 'on = {route = "me"}\nstatus = 500\nreason = "Out Of Coffee"',
    "headers": 'on = {route = "me"}\nheaders = {Deprecation = "true"}',
    "body": 'on = {route = "me"}\nstatus = 502\nbody = "<html>Bad Gateway</html>"',
    "json": 'on = {route = "me"}\nstatus = 426\njson = {error = "too old", upgrade = "npm i"}',
    "body_hex": 'on = {route = "me"}\nbody_hex = "1f8b0800ff"',
    "retry_after": 'on = {route = "stream", attempt = 1}\nstatus = 429\nretry_after = 2',
    "content_type": 'on = {route = "stream"}\ncontent_type = "text/html"',
    "redirect": 'on = {route = "stream"}\nredirect = "https://elsewhere.invalid/"',
    "early": 'on = {route = "stream"}\nearly = [103]',
    "content_length": 'on = {route = "me"}\ncontent_length = [5, 7]',
    "raw_head": 'on = {route = "me"}\nraw_head = "HTTP/1.1 200 OK\\r\\nX: y\\r\\n\\r\\n"',
    "raw_head_hex": 'on = {route = "me"}\nraw_head_hex = "485454502f39ff0d0a0d0a"',
    "framing": 'on = {route = "stream"}\nframing = "close"',
    "frames": 'on = {route = "stream"}\nframes = [{event = "ping", data = "{}"}]',
    "drop": 'on = {route = "stream", id = "3"}\ndrop = true',
    "duplicate": 'on = {route = "stream", id = "3"}\nduplicate = 2',
    "reorder": 'on = {route = "stream", frame = 2}\nreorder = true',
    "corrupt": 'on = {route = "stream", frame = 2}\ncorrupt = "json"',
    "replace": 'on = {route = "stream", last = true}\nreplace = {event = "end", data = "{}"}',
    "inject": 'on = {route = "stream", frame = 2}\ninject = [{comment = "keep-alive"}]',
    "strip_id": 'on = {route = "stream", frame = "1-"}\nstrip_id = true',
    "line_ending": 'on = {route = "stream", frame = "1-"}\nline_ending = "cr"',
    "slice": 'on = {route = "stream", frame = "1-"}\nslice = "mid_utf8"',
    "coalesce": 'on = {route = "stream"}\ncoalesce = 10',
    "rate": 'on = {route = "stream"}\nrate = 1000',
    "bom": 'on = {route = "stream"}\nbom = true',
    "stall": 'on = {route = "stream"}\nafter = {frames = 2}\nstall = {gate = "mid"}',
    "after": 'on = {route = "stream"}\nafter = {frames = 1, bytes = 20}\nend = "rst"',
    "end": 'on = {route = "stream", attempt = 1}\nafter = {frames = 2}\nend = "short_chunk"',
    "extra": 'on = {route = "me"}\nextra = "stray bytes"',
    "extra_hex": 'on = {route = "me"}\nextra_hex = "00ff"',
    "resume": 'on = {route = "stream", attempt = 2}\nresume = {overlap = 1}',
}
_HEAD: Final = """# The vocabulary of a scenario

Written from the code by `python -m mock_server.scenario.reference`; a test keeps it true.
A scenario is TOML (or the same as JSON): `seed`, `[backend]`, `[limits]`, `[[job]]` and `[[rule]]`.
Every rule that matches acts. The unit of a rule is a connection when `on` names a connection, a
frame when `on` picks frames, and otherwise an exchange: one request and its response.

Carriers: the mock has every capability (`tls_raw` with `--tls`); the native proxy has all but
`backend`; the mitmproxy addon has `frame` and `raw`. A rule that a carrier cannot carry is
refused when the scenario is loaded.
"""


def catalogue() -> str:
    """Return the catalogue as Markdown."""
    parts = [_HEAD, "## Faults\n"]
    for name, (_, described) in words_of(Rule).items():
        if name in EXAMPLES:
            needs = f" Needs `{described.needs}`." if described.needs else ""
            says = f"{described.says[0].upper()}{described.says[1:]}: {described.shape.says}."
            parts.append(
                f"### {name}\n\n{says}{needs}\n\n```toml\n[[rule]]\n{EXAMPLES[name]}\n```\n"
            )
    parts.append(_table("Selections: `on`", Select))
    parts.append(_table("Jobs: `[[job]]`", JobPlan))
    parts.append(_table("The backend: `[backend]`", BackendPlan))
    parts.append(_table("Bounds: `[limits]`", Limits))
    return "\n".join(parts)


def _table(title: str, cls: type[attrs.AttrsInstance]) -> str:
    rows = [
        f"| `{name}` | {described.says} | {described.shape.says} |".replace("{", "\\{")
        for name, (_, described) in words_of(cls).items()
    ]
    head = [f"## {title}", "", "| word | meaning | value |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def publish(root: Path) -> Sequence[Path]:
    """Write the published files below the root of a checkout; returns them."""
    for name, example in EXAMPLES.items():
        scenario_from_toml(f"[[rule]]\n{example}\n")
        if name not in words_of(Rule):
            raise KeyError(name)
    schema = root / "spec" / "schemas" / "scenario.schema.json"
    faults = root / "mock_server" / "FAULTS.md"
    schema.parent.mkdir(parents=True, exist_ok=True)
    schema.write_text(json.dumps(scenario_schema(), indent=2) + "\n", encoding="utf-8")
    faults.write_text(catalogue(), encoding="utf-8")
    return schema, faults


if __name__ == "__main__":
    publish(Path(__file__).parents[2])
