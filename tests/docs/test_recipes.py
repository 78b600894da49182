"""The recipes of `docs/shards.md`: what this machine can run is run, the rest is parsed and checked."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import pytest

from conformance.commands.report_command import command as report_command
from conformance.commands.run_command import command as run_command
from mock_server.strict.shapes import is_array, is_table
from tests.docs.shell import ROOT, environment, search_path
from tests.docs.test_snippets import snippets

PAGE: Final = ROOT / "docs" / "shards.md"
YOURS: Final = "-- node my-driver.mjs"
FEW: Final = "--filter 'create.refused*' --profile 2026-05"
VERDICT: Final = "conforms in the cases chosen (15/"
COMMANDS: Final[Mapping[str, click.Command]] = {"run": run_command, "report": report_command}


def blocks(language: str) -> list[str]:
    return [each.text for each in snippets(PAGE) if each.language == language]


def ran(
    script: str, folder: Path, path: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a script in a shell, with the reference client and few cases instead of yours."""
    assert YOURS in script or "merge" in script
    return subprocess.run(
        ["sh", "-c", script.replace(YOURS, FEW)],  # noqa: S607 - any shell will do
        cwd=folder,
        env={**environment(path), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


def version_of(program: str) -> str:
    done = subprocess.run(
        [program, "--version"], capture_output=True, encoding="utf-8", timeout=20, check=False
    )
    return done.stdout


def test_the_recipe_for_gnu_parallel_merges_the_shards(tmp_path: Path) -> None:
    program = shutil.which("parallel")
    # moreutils has another program of this name
    if program is None or "GNU parallel" not in version_of(program):
        pytest.skip("GNU parallel is not on this machine")
    (script,) = blocks("sh")
    done = ran(script, tmp_path, search_path(tmp_path))
    assert (done.returncode, VERDICT in done.stdout) == (0, True), done.stdout


def of_yaml(beginning: str) -> Mapping[str, object]:
    """Return the content of the YAML that begins so."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (text,) = (each for each in blocks("yaml") if each.startswith(beginning))
    found: object = json.loads(json.dumps(yaml.safe_load(text)))  # YAML takes `on` for a boolean
    assert is_table(found)
    return found


def at(value: object, *places: str | int) -> object:
    """Return what is at a place in plain data."""
    for place in places:
        if isinstance(place, int):
            assert is_array(value)
            value = value[place]
        else:
            assert is_table(value), f"{place}: not in a table"
            value = value[place]
    return value


def tables(value: object) -> list[Mapping[str, object]]:
    assert is_array(value)
    return [each for each in value if is_table(each)]


def check_command(line: str) -> None:
    """Let click parse a command line of the kit; it refuses what it does not know."""
    program, name, *words = shlex.split(line)
    assert program == "arkor-conformance"
    with COMMANDS[name].make_context(name, words):
        pass


def test_a_wrong_option_in_a_recipe_would_be_seen() -> None:
    for wrong in ("run --shard 5/4", "run --shards 1/4", "report merge --report x"):
        with pytest.raises(click.UsageError):
            check_command(f"arkor-conformance {wrong}")


def steps_of(job: object) -> Iterator[str]:
    for step in tables(at(job, "steps")):
        if isinstance(line := step.get("run"), str):
            yield line


def test_the_workflow_plays_every_shard_and_merges_them_all() -> None:
    jobs = at(of_yaml("# .github"), "jobs")
    shards = at(jobs, "shard", "strategy", "matrix", "shard")
    assert is_array(shards)
    of = len(shards)
    assert list(shards) == list(range(1, of + 1))
    (line,) = (each for each in steps_of(at(jobs, "shard")) if "arkor-conformance" in each)
    reports: list[str] = []
    for number in shards:
        here = line.replace("${{ matrix.shard }}", str(number))
        assert f"--shard {number}/{of} " in here
        check_command(here)
        reports += re.findall(r"--report (\S+)", here)
    (line,) = (each for each in steps_of(at(jobs, "verdict")) if "arkor-conformance" in each)
    check_command(line)
    assert shlex.split(line)[3 : 3 + of] == reports
    assert at(jobs, "verdict", "needs") == "shard"


def test_every_action_of_the_workflow_has_a_version() -> None:
    jobs = at(of_yaml("# .github"), "jobs")
    used = [
        step["uses"]
        for job in ("shard", "verdict")
        for step in tables(at(jobs, job, "steps"))
        if "uses" in step
    ]
    assert len(used) == 6
    assert [each for each in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", str(each))] == []


def job() -> Mapping[str, object]:
    return of_yaml("apiVersion: batch/v1")


def pod() -> object:
    return at(job(), "spec", "template", "spec")


def script() -> str:
    command = at(pod(), "containers", 0, "command")
    text = at(pod(), "containers", 0, "args", 0)
    assert command == ["sh", "-c"]
    assert isinstance(text, str)
    return text


def test_the_kubernetes_job_has_the_shape_of_an_indexed_job() -> None:
    assert (job()["kind"], at(job(), "spec", "completionMode")) == ("Job", "Indexed")
    of = at(job(), "spec", "completions")
    assert f'--shard "$shard/{of}"' in script()
    assert at(pod(), "restartPolicy") == "Never"
    mounts = tables(at(pod(), "containers", 0, "volumeMounts"))
    assert [each["name"] for each in mounts] == [
        each["name"] for each in tables(at(pod(), "volumes"))
    ]
    assert f"{mounts[0]['mountPath']}/shard-" in script()


def test_the_script_of_the_kubernetes_job_plays_the_shards_from_one(tmp_path: Path) -> None:
    path, few = search_path(tmp_path), script().replace("/8", "/2")
    for index in ("0", "1"):
        here = few.replace("/reports/", f"{tmp_path}/")
        done = ran(here, tmp_path, path, JOB_COMPLETION_INDEX=index)
        assert done.returncode == 0, done.stdout
    (line,) = re.findall(r"`(arkor-conformance report merge /\S+ --report \S+)`", PAGE.read_text())
    done = ran(line.replace("/reports/", f"{tmp_path}/"), tmp_path, path)
    assert (done.returncode, VERDICT in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(("status", "ends"), [(0, 0), (1, 0), (4, 0), (3, 1), (143, 1)])
def test_a_pod_fails_only_if_its_shard_was_not_judged(
    status: int, ends: int, tmp_path: Path
) -> None:
    path = search_path(tmp_path)
    fake = tmp_path / "bin" / "arkor-conformance"
    fake.write_text(f"#!/bin/sh\nexit {status}\n", "utf-8")
    done = ran(script(), tmp_path, path, JOB_COMPLETION_INDEX="0")
    assert done.returncode == ends


def test_what_was_not_run_says_so() -> None:
    text = PAGE.read_text("utf-8")
    sections: Sequence[str] = re.split(r"^## ", text, flags=re.MULTILINE)
    marked = [each for each in sections if "```yaml" in each]
    assert len(marked) == 2
    assert all("We do not run" in each for each in marked)
