"""Shards on the command line: played one by one, merged, and refused with one line each."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from conformance.casefile.shards import shard_of
from conformance.mutants import all_mutants
from conformance.reports import write_run
from conformance.verdict.statuses import Verdict
from tests.conformance.commandline import kit
from tests.conformance.sample_run import result, run
from tests.forked import Finished

CASE: Final = "budget.allows-exactly-n-reconnects"
FEW: Final = ("--case", CASE, "--profile", "2026-05", "--profile", "hardened")
STALE: Final = f'[[known]]\ncase = "{CASE}[0]"\nreason = "was so"\n'
MIB: Final = 1 << 20


def verdicts(path: Path) -> Mapping[tuple[str, str], str]:
    found = json.loads(path.read_text("utf-8"))["results"]
    return {(each["case"], each["profile"]): each["verdict"] for each in found}


def played(folder: Path, *options: str) -> list[Path]:
    """Play two shards and return their reports."""
    paths = [folder / f"{n}.json" for n in (1, 2)]
    for n, path in enumerate(paths, 1):
        done = kit("run", *FEW, "--shard", f"{n}/2", "--report", str(path), *options)
        assert (done.status, done.err) == (0, ""), done
        assert f"conforms in shard {n} of 2 (" in done.out
        assert "arkor-conformance report merge SHARD.json ..." in done.out
    return paths


def merge(folder: Path, *paths: Path) -> Finished:
    return kit("report", "merge", *map(str, paths), "--report", str(folder / "merged.json"))


def test_shards_played_one_by_one_merge_into_the_whole_run(tmp_path: Path) -> None:
    paths = played(tmp_path)
    alone = kit("run", *FEW, "--report", str(tmp_path / "whole.json"))
    done = merge(tmp_path, *paths)
    assert (done.status, done.err) == (0, ""), done
    assert verdicts(tmp_path / "merged.json") == verdicts(tmp_path / "whole.json")
    table, whole = (
        re.findall(r"^(?:2026|hardened).*$", each.out, re.MULTILINE) for each in (done, alone)
    )
    assert table == whole
    assert len(table) == 2


def test_a_stale_baseline_shows_in_the_merged_run_and_in_no_shard(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text(STALE)
    done = merge(tmp_path, *played(tmp_path, "--baseline", str(known)))
    assert done.status == 5, done
    assert done.err.startswith(f"stale baseline: {CASE}[0]: passes now; ")


def test_a_shard_of_a_case_file_merges_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[[case]]\nid = "own.one"\nrequires = ["ARK-CRE-1"]\nwhy = "So."\n'
        'step = [{ do = "start" }]\nexpect.requests = { create = 1 }\n'
    )
    number = shard_of("own.one", 2)
    report = str(tmp_path / "1.json")
    own = ("--file", str(file), "--profile", "2026-05")
    done = kit("run", *own, "--shard", f"{number}/2", "--report", report)
    assert (done.status, f"(1 of the 1 cases of {file})" in " ".join(done.out.split())) == (0, True)
    empty = kit("run", *own, "--shard", f"{3 - number}/2")
    assert (empty.status, empty.out) == (4, "")
    assert f"none of the chosen cases (1) is in shard {3 - number} of 2" in empty.err
    without = kit("report", "merge", report)
    assert (without.status, without.err.count("\n")) == (3, 1)
    assert f"pass the files of its run: --file {file}" in without.err
    merged = kit("report", "merge", report, "--file", str(file))
    assert (merged.status, merged.err) == (0, ""), merged


def test_report_merge_has_a_help_and_refuses_what_it_does_not_know() -> None:
    done = kit("report", "merge", "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("Usage: arkor-conformance report merge [OPTIONS] SHARD...")
    assert "`report merge`" in kit("report", "--help").out
    done = kit("report", "merge", "x.json", "--bogus")
    assert done.err == (
        "arkor-conformance: --bogus: unknown; see `arkor-conformance report merge --help`\n"
    )


def test_several_wrong_shards_get_a_line_each(tmp_path: Path) -> None:
    write_run([tmp_path / "whole.json"], run([result(Verdict.PASS)]))
    (tmp_path / "empty.json").write_text("")
    done = merge(tmp_path, tmp_path / "gone.json", tmp_path / "empty.json", tmp_path / "whole.json")
    assert (done.status, done.out) == (3, "")
    assert [line.partition(f"{tmp_path}/")[2] for line in done.err.splitlines()] == [
        "gone.json: No such file or directory",
        "empty.json: JSON: the file is empty",
    ]
    done = merge(tmp_path, tmp_path / "whole.json")
    assert done.err.endswith("/whole.json: is not a shard: it was run without --shard\n")
    assert not (tmp_path / "merged.json").exists()


def test_the_mutants_are_divided_by_their_names() -> None:
    def listed(*options: str) -> list[str]:
        done = kit("mutants", "--list", *options)
        assert done.status == 0, done
        return [line.partition(" ")[0] for line in done.out.splitlines() if line[0] != " "]

    parts = [listed("--shard", f"{n}/3") for n in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(listed())
    assert all(shard_of(name, 3) == n for n, part in enumerate(parts, 1) for name in part)


def test_a_shard_of_the_mutants_judges_no_idle_cases() -> None:
    number = shard_of("resume.starts-over", 200)
    only = ("--shard", f"{number}/200", "--filter", "resume.cursor-is-sent*")
    done = kit("mutants", *only)
    assert "SURVIVES" not in done.out
    assert (
        "only some mutants were tried, so cases that catch no mutant are not reported" in done.out
    )
    assert done.status == 0, done
    missing = next(n for n in range(1, 201) if f"{n}" != f"{number}" and not names_in(n))
    empty = kit("mutants", "--shard", f"{missing}/200")
    assert (empty.status, empty.out) == (4, "")
    assert f"shard {missing} of 200 has none of the mutants" in empty.err


def names_in(number: int) -> list[str]:
    return [each.name for each in all_mutants() if shard_of(each.name, 200) == number]


def whole() -> str:
    return json.dumps(run([result(Verdict.PASS)]))


def changed(here: str, there: str) -> str:
    text = whole()
    assert here in text
    return text.replace(here, there)


BAD: Final[Mapping[str, tuple[Callable[[], str], str]]] = {
    "empty": (str, "JSON: the file is empty"),
    "text": (lambda: "no verdict", "JSON: Expecting value"),
    "list": (lambda: "[]", "JSON: must be an object"),
    "truncated": (lambda: whole()[:-100], "JSON: the file is cut off on line 1: "),
    "half a number": (lambda: changed("1.5", "1.5e"), "JSON: "),
    "another schema": (
        lambda: changed("arkor-conformance-run/2", "arkor-conformance-run/9"),
        "the schema is 'arkor-conformance-run/9', not 'arkor-conformance-run/2'",
    ),
    "no schema": (lambda: "{}", "the schema is None, not "),
    "a schema that is long": (
        lambda: json.dumps({"schema": "x" * MIB}),
        "the schema is 'xxxxxxxxxxxx...xxxxxxxxxxxxx', not ",
    ),
    "a list of shards": (lambda: changed('"shard": null', '"shard": []'), "shard: [] (array)"),
    "a result that is none": (lambda: changed('"results": [', '"results": [1, '), "results 1: 1"),
    "a verdict that is none": (
        lambda: changed('"verdict": "pass"', '"verdict": "maybe"'),
        "results 1.verdict: 'maybe'",
    ),
    "nested": (lambda: "[" * 100 * MIB, "JSON: nested too deeply"),
}


@pytest.mark.parametrize("words", [("report",), ("report", "merge")], ids=" ".join)
@pytest.mark.parametrize("what", BAD)
def test_a_report_that_is_wrong_is_one_line(
    what: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    content, said = BAD[what]
    file = tmp_path / "run.json"
    file.write_text(content(), "utf-8")
    assert_refused(kit(*words, str(file), "--report", str(tmp_path / "x.md")), file, said)


def assert_refused(done: Finished, file: Path, said: str) -> None:
    assert (done.status, done.out, done.err.count("\n")) == (3, "", 1), done
    assert done.err.startswith(f"arkor-conformance: {file}: {said}"), done
    assert len(done.err) < 500


@pytest.mark.parametrize("words", [("report",), ("report", "merge")], ids=" ".join)
def test_what_is_not_a_file_is_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    report = str(tmp_path / "x.md")
    secret = tmp_path / "secret.json"
    secret.touch(0o000)
    huge = tmp_path / "huge.json"
    huge.touch()
    os.truncate(huge, 300 * MIB)
    for path, said in (
        (tmp_path, "is a directory; give its run.json"),
        (Path(os.devnull), "is a device; give a .toml or .json file"),
        (tmp_path / "gone.json", "No such file or directory"),
        (huge, "is larger than 256 MiB"),
        *([(secret, "Permission denied")] if os.geteuid() else []),
    ):
        assert_refused(kit(*words, str(path), "--report", report), path, said)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("", "JSON: the file is cut off"),
        (',\n{"case":"a"}\n]\n}\n', "results 1"),
        ("\n]\n}\n", ""),
    ],
)
def test_a_report_of_100_megabytes_takes_no_traceback(end: str, said: str, tmp_path: Path) -> None:
    write_run([tmp_path / "run.json"], run([result(Verdict.PASS)]))
    *before, line, _, _ = (tmp_path / "run.json").read_text("utf-8").splitlines()
    assert line.startswith('{"case"')
    file = tmp_path / "big.json"
    with file.open("w", encoding="utf-8") as opened:
        opened.writelines(f"{each}\n" for each in before)
        opened.writelines([f"{line},\n"] * (100 * MIB // len(line)))
        opened.write(line + end)
    done = kit("report", str(file), "--report", str(tmp_path / "x.md"))
    if said:
        assert done.status == 3
        lines = done.err.splitlines()
        assert all(each.startswith(f"arkor-conformance: {file}: {said}") for each in lines[:10])
        assert len(lines) <= 21
    else:
        assert (done.status, done.err) == (0, "")
        assert (tmp_path / "x.md").is_file()
