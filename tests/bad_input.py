"""Kinds of bad input to the three commands, and the table of what they print.

`python -m tests.bad_input` writes `spec/bad-input.md`.
"""

import json
import os
import re
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conformance.reports.run_json.saved import as_json
from tests.arkor_proto.cli.command import JOB
from tests.conformance.reports.sample_backend import backend_run, passing
from tests.conformance.sample_shards import NAMES, shards
from tests.forked import ROOT, Finished, run_forked

PAGE: Final = ROOT / "spec" / "bad-input.md"
FILES: Final[dict[str, str | bytes]] = {
    "job.toml": JOB,
    "cut.toml": "name = ",
    "latin.toml": b"name = '\xe4'",
    "typo.toml": "nam = 'x'",
    "unnamed.toml": "model = 'm'",
    "number.toml": "name = 1",
    "kind.toml": "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'hugingface'",
    "option.toml": JOB + "max_stops = 3",
    "lora.toml": JOB + "[lora]\nrr = 3",
    "long.toml": "#" * (2**20 + 1),
    "empty.txt": "",
    "words.txt": "two words",
    "rule.toml": "schema = 1\n[[rule]]\non = {attempt = 1}\nend = 'rts'\n",
    "unruly.toml": "schema = 1\n[[rule]]\non = {route = 'strem'}\nend = 'rst'\n",
    "aimless.toml": "schema = 1\n[[rule]]\non = {attempt = 1}\n",
    "status.toml": "schema = 1\n[[rule]]\non = {attempt = 1}\nstatus = 1000\n",
    "late.toml": "schema = 1\n[[rule]]\non = {attempt = 1}\ndelay_ms = 'soon'\n",
    "schema.toml": "schema = 99\n",
    "key.toml": "schema = 1\nseeed = 1\n",
    "tenants.toml": "schema = 1\n[backend]\ntoken = 't'\ntenants = [{token = 'u', org = 'o', projects = ['p']}]\n",
    "lax.toml": "schema = 1\n[backend]\ntenancy = 'ignored'\n",
    "twice.toml": "schema = 1\n[[job]]\nid = 'j'\n[[job]]\nid = 'j'\n",
    "tls.toml": "schema = 1\n[[rule]]\non = {attempt = 1}\nend = 'tls_alert'\n",
    "silent.toml": "schema = 1\n[backend]\nkeep_alive_ms = 'often'\n",
    "half.toml": "schema = 1\n[backend]\nhalf_close = 'drop'\n",
    "handoff.toml": "schema = 1\n[[rule]]\non = {route = 'stream'}\nhandoff = {}\n",
    "raw.toml": "schema = 1\n[backend]\npaths = 'raw'\n",
    "cut.json": '{"schema": 1',
    "list.json": "[]",
    "trace.json": '{"format": "arkor-states/0"}',
    "scenario.yaml": "schema: 1",
    "run.json": json.dumps({"schema": "something else"}),
    "backend.json": as_json(backend_run([passing()])),
    "cases.toml": "[[cases]]\n",
    "known.toml": "[[known]]\ncase = 'x'\n",
    "begun/driver.py": "",
    "ruled.toml": "[[known]]\nrule = 'ARK-RES-99'\nreason = 'r'\n[[known]]\nreason = 'r'\n",
}
"""The files that the command lines name."""
ADDRESS: Final = "--base-url http://127.0.0.1:9"
COMMANDS: Final = (
    "arkor-proto run",
    f"arkor-proto run missing.toml {ADDRESS}",
    f"arkor-proto run . {ADDRESS}",
    *(
        f"arkor-proto run {name}.toml {ADDRESS}"
        for name in (
            *("cut", "latin", "typo", "unnamed", "number", "kind", "option", "lora", "long"),
        )
    ),
    "arkor-proto follow job-1",
    "arkor-proto follow job-1 --base-url nowhere",
    "arkor-proto follow job-1 --base-url ftp://example.com",
    "arkor-proto follow job-1 --base-url http://example.com:99999",
    "arkor-proto follow job-1 --base-url 'http://example.com/?a=b'",
    f"arkor-proto follow '' {ADDRESS}",
    f"arkor-proto follow job-1 job-2 {ADDRESS}",
    f"arkor-proto follow job-1 {ADDRESS} --profile 2026",
    f"arkor-proto follow job-1 {ADDRESS} --max-attempts many",
    f"arkor-proto follow job-1 {ADDRESS} --max-delay soon",
    f"arkor-proto follow job-1 {ADDRESS} --max-delay",
    f"arkor-proto follow job-1 {ADDRESS} --json=yes",
    f"arkor-proto follow job-1 {ADDRESS} --token secret",
    f"arkor-proto follow job-1 {ADDRESS} --token-file missing.txt",
    f"arkor-proto follow job-1 {ADDRESS} --token-file empty.txt",
    f"arkor-proto follow job-1 {ADDRESS} --token-file words.txt",
    "arkor-proto folow job-1",
    *(
        f"arkor-mock check {name}"
        for name in (
            *("missing.toml", "cut.toml", "latin.toml", "rule.toml", "unruly.toml", "aimless.toml"),
            *("status.toml", "late.toml", "schema.toml", "key.toml", "twice.toml", "cut.json"),
            *("tenants.toml", "lax.toml"),
            *("list.json", "scenario.yaml", "silent.toml", "half.toml", "handoff.toml"),
        )
    ),
    "arkor-mock check",
    "arkor-mock chek rule.toml",
    "arkor-mock explain rule.toml",
    "arkor-mock serve missing.toml",
    "arkor-mock serve tls.toml",
    "arkor-mock serve --port many",
    "arkor-mock serve --port 70000",
    "arkor-mock serve --max-lifetime 0",
    "arkor-mock serve --host 192.0.2.1",
    "arkor-mock serve --host ''",
    "arkor-mock serve --host 0.0.0.0 --allow-remote",
    "arkor-mock serve --host 0.0.0.0 --allow-remote --admin-token short",
    "arkor-mock serve --admin-token 'two words'",
    "arkor-mock serve --allow-host 'a b'",
    "arkor-mock control missing.toml",
    "arkor-mock control tls.toml",
    "arkor-mock control lax.toml",
    "arkor-mock control --port 1",
    "arkor-mock proxy",
    "arkor-mock proxy --upstream nowhere",
    "arkor-mock proxy --upstream http://127.0.0.1:9 raw.toml",
    "arkor-mock record --upstream http://127.0.0.1:9 --out out.json",
    "arkor-mock recover missing.toml",
    "arkor-conformance rum",
    "arkor-conformance show",
    "arkor-conformance show create.acepted",
    "arkor-conformance run --profile 2026",
    "arkor-conformance run --lanes 0",
    "arkor-conformance run --patience soon",
    "arkor-conformance run --patience 0",
    "arkor-conformance run --patience",
    "arkor-conformance run --max-hung 0",
    "arkor-conformance show create.accepted extra",
    "arkor-conformance explore --seed x",
    "arkor-conformance explore --schedules 0",
    "arkor-conformance states --world nowhere",
    "arkor-conformance states --mutant budget.never-give-up",
    "arkor-conformance states --most 0",
    "arkor-conformance states --replay missing.json",
    "arkor-conformance states --replay cut.json",
    "arkor-conformance states --replay trace.json",
    "arkor-conformance states --out missing/trace.json",
    "arkor-conformance simulate --jobs 0",
    "arkor-conformance simulate --profile hardend",
    "arkor-conformance simulate --hours 0",
    "arkor-conformance simulate --mutant budget.never-give-up",
    "arkor-conformance simulate --capacity 10",
    "arkor-conformance simulate --fleet 10 --jobs 10",
    "arkor-conformance simulate --fleet 1000000 --capacity 1",
    "arkor-conformance simulate --fleet 10 --strategy none-at-all",
    "arkor-conformance simulate --fleet 10 --plot missing/fleet.svg",
    "arkor-conformance simulate --faults '[]'",
    "arkor-conformance simulate --job 1 --profile hardened --faults '{'",
    "arkor-conformance simulate --job 1 --profile hardened --faults '[{}]'",
    "arkor-conformance states --case missing/case.toml",
    "arkor-conformance diff x ''",
    'arkor-conformance diff x "\'y"',
    "arkor-conformance run --case create.acepted",
    "arkor-conformance run --filter 'nothing.*'",
    "arkor-conformance run --file missing.toml",
    "arkor-conformance run --file cases.toml",
    "arkor-conformance run --baseline missing.toml",
    "arkor-conformance run --baseline known.toml",
    "arkor-conformance run --baseline ruled.toml",
    "arkor-conformance run --write-baseline known.toml",
    "arkor-conformance run --write-baseline missing/known.toml",
    "arkor-conformance run --report missing/run.json",
    "arkor-conformance run --report report.pdf",
    "arkor-conformance run -- ./no-driver",
    "arkor-conformance run -- .",
    "arkor-conformance run --bogus",
    "arkor-conformance init",
    "arkor-conformance init python",
    "arkor-conformance backend --base-url nowhere",
    "arkor-conformance backend --base-url http://127.0.0.1:0",
    "arkor-conformance backend --base-url 'http://127.0.0.1:9/?a=b' --yes",
    "arkor-conformance backend --base-url http://127.0.0.1:9 --yes",
    "arkor-conformance backend --base-url https://127.0.0.1:9 --ca-file missing.pem",
    "arkor-conformance backend --base-url http://127.0.0.1:9 --job missing.toml",
    "arkor-conformance backend --base-url http://127.0.0.1:9 --job unnamed.toml",
    "arkor-conformance backend --follow job-1",
    "arkor-conformance backend --follow job-1 --control -- ./program",
    "arkor-conformance backend --control",
    "arkor-conformance backend ./program",
    "arkor-conformance backend --control -- ./no-program",
    "arkor-conformance backend --control -- cat",
    "arkor-conformance backend --control -- false",
    "arkor-conformance backend --case create.acepted",
    "arkor-conformance backend --filter 'nothing.*'",
    "arkor-conformance backend --max-jobs 0",
    "arkor-conformance backend --patience soon",
    "arkor-conformance backend --baseline missing.toml",
    "arkor-conformance backend --report report.pdf",
    "arkor-conformance init ruby missing",
    "arkor-conformance init python begun",
    "arkor-conformance init node run.json",
    "arkor-conformance parser --stream W99",
    "arkor-conformance parser --chunkings many",
    "arkor-conformance parser --out missing/parser.json",
    "arkor-conformance parser -- ./no-parser",
    "arkor-conformance parser -- cat",
    "arkor-conformance parser -- false",
    "arkor-conformance explore --baseline missing.toml",
    "arkor-conformance explore --baseline ruled.toml",
    "arkor-conformance diff node node --baseline known.toml",
    "arkor-conformance compare run.json",
    "arkor-conformance compare run.json run.json",
    "arkor-conformance compare run.json missing.json",
    "arkor-conformance compare whole.json backend.json",
    "arkor-conformance compare run.json run.json --report report.pdf",
    "arkor-conformance compare run.json run.json --report missing/x.md",
    "arkor-conformance report run.json --report x.md",
    "arkor-conformance report missing.json --report x.md",
    "arkor-conformance report . --report x.md",
    "arkor-conformance report list.json --report x.md",
    "arkor-conformance report empty.txt --report x.md",
    "arkor-conformance report cut-shard.json --report x.md",
    "arkor-conformance run --shard 0/4",
    "arkor-conformance explore --shard 5/4",
    "arkor-conformance mutants --shard half",
    "arkor-conformance report merge",
    "arkor-conformance report merge missing.json",
    "arkor-conformance report merge run.json",
    "arkor-conformance report merge backend.json",
    "arkor-conformance report merge cut-shard.json shard-2.json",
    "arkor-conformance report merge whole.json",
    "arkor-conformance report merge shard-1.json",
    "arkor-conformance report merge shard-1.json shard-2.json shard-1.json",
    "arkor-conformance report merge shard-1.json lacking.json",
    "arkor-conformance report merge shard-1.json overlapping.json",
    "arkor-conformance report merge shard-1.json of-three.json",
    "arkor-conformance report merge shard-1.json other-client.json",
    "arkor-conformance report merge other-kit.json",
    "arkor-conformance report merge other-cases.json",
)
_INTRO: Final = """\
# Bad input

This is what the three commands print when a command line or a file is wrong: one line on
standard error. [GUIDE.md](../mock_server/GUIDE.md#exit-statuses) explains the exit statuses. In
every run, `ARKOR_TOKEN` contains a token. This file is written by `python -m tests.bad_input`,
which runs every command line in the table; a test fails if the file is out of date.

| command line | status | message |
|---|---|---|
"""


def tried(line: str, folder: Path) -> Finished:
    """Run a command line, with its files in a folder; the folder is not in what it returns."""
    command, *words = shlex.split(line)
    names = {*FILES, *NAMES, *re.findall(r"missing[./\w]*|report\.pdf|out\.json|x\.md|begun", line)}
    placed = [str(folder / word) if word in names else word for word in words]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARKOR_")}
    done = run_forked(command, placed, {**kept, "ARKOR_TOKEN": "t", "NO_COLOR": "1"})
    return Finished(done.status, done.out, done.err.replace(f"{folder}/", ""))


def place_files(folder: Path) -> None:
    """Write the files."""
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, text in shards().items():
        (folder / name).write_text(text, "utf-8")


def row(line: str, done: Finished) -> str:
    """Return the row of a command line."""
    said = done.err.rstrip("\n").replace("|", "\\|")
    return f"| `{line}` | {done.status} | `` {said} `` |\n"


def page() -> str:
    """Return `spec/bad-input.md`."""
    with TemporaryDirectory() as folder:
        place_files(Path(folder))
        return _INTRO + "".join(row(line, tried(line, Path(folder))) for line in COMMANDS)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
