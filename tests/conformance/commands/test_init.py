"""What `arkor-conformance init` writes works as it is, and nothing is overwritten."""

import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from conformance.casefile.requirements import load_requirements
from conformance.verdict.known_failures import read_baseline
from tests.conformance.commandline import kit
from tests.forked import Finished

LANGUAGES = (
    "python",
    pytest.param("node", marks=pytest.mark.skipif(not shutil.which("node"), reason="needs node")),
)
WORKFLOW = Path(".github", "workflows", "conformance.yml")


def begun(language: str, folder: Path) -> Finished:
    done = kit("init", language, str(folder))
    assert (done.status, done.err) == (0, ""), done
    return done


def driver_in(folder: Path) -> tuple[str, ...]:
    if (folder / "driver.py").exists():
        return (sys.executable, str(folder / "driver.py"))
    return ("node", str(folder / "driver.mjs"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_driver_passes_smoke_which_says_that_its_client_was_not_judged(
    language: str, tmp_path: Path
) -> None:
    begun(language, tmp_path)
    done = kit("smoke", "--patience", "10", "--", *driver_in(tmp_path))
    assert done.status == 0, done
    assert done.out.endswith("\nthe driver works; its client was not judged\n")
    assert "driver:" not in done.out + done.err


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stand_in_is_judged_and_does_not_pass(language: str, tmp_path: Path) -> None:
    begun(language, tmp_path)
    report = tmp_path / "run.json"
    cases = ("--filter", "create.accepted*", "--filter", "resume.cursor*", "--profile", "2026-07")
    done = kit("run", *cases, "--report", str(report), "--", *driver_in(tmp_path))
    results = json.loads(report.read_text("utf-8"))["results"]
    verdicts = {each["case"]: each["verdict"] for each in results}
    assert done.status == 1, done
    assert {verdicts["create.accepted[200]"], verdicts["create.accepted[201]"]} == {"pass"}
    assert "fail" in verdicts.values()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_it_says_to_type_next_can_be_typed(language: str, tmp_path: Path) -> None:
    said = begun(language, tmp_path / "a driver").out
    typed = [shlex.split(line) for line in said.splitlines() if line.startswith("  ")]
    assert typed[0] == ["cd", str(tmp_path / "a driver")]
    for words in typed[1:]:
        program, name = words[-2:]
        assert (words[0], shutil.which(program) is not None) == ("arkor-conformance", True)
        assert (tmp_path / "a driver" / name).is_file()
        assert kit(words[1], "--help").status == 0
    assert Path(said.rsplit(": ", 1)[1].strip()).is_file()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_workflow_runs_the_kit_and_keeps_the_reports(language: str, tmp_path: Path) -> None:
    begun(language, tmp_path)
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found: object = yaml.safe_load((tmp_path / WORKFLOW).read_text("utf-8"))
    workflow = json.loads(json.dumps(found))  # YAML takes `on` for a boolean
    steps = workflow["jobs"]["conformance"]["steps"]
    runs = [shlex.split(step["run"]) for step in steps if "run" in step]
    commands = [words for words in runs if words[0] == "arkor-conformance"]
    assert [words[1] for words in commands] == ["smoke", "run"]
    for words in commands:
        assert (tmp_path / words[-1]).is_file()
        shown = kit(words[1], "--help").out
        assert all(word in shown for word in words if word.startswith("--") and word != "--")
    baseline = commands[1][commands[1].index("--baseline") + 1]
    assert read_baseline(tmp_path / baseline, load_requirements()) == ()
    (kept,) = [step["with"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert kept["path"] == f"**/{commands[1][commands[1].index('--report') + 1]}"
    assert ("setup-node" in json.dumps(workflow)) == (language == "node")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_names_every_file_and_no_placeholder_is_left(
    language: str, tmp_path: Path
) -> None:
    begun(language, tmp_path)
    readme = (tmp_path / "README.md").read_text("utf-8")
    files = [each.relative_to(tmp_path) for each in tmp_path.rglob("*") if each.is_file()]
    assert [f"{each}" for each in files if f"`{each}`" not in readme] == ["README.md"]
    for each in files:
        text = (tmp_path / each).read_text("utf-8")
        assert not {"DRIVER", "CLIENT", "PLUMBING", "NEEDS", "SETUP_NODE"} & set(text.split())


def test_nothing_is_overwritten_and_nothing_is_written_beside_it(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text("mine")
    (tmp_path / "driver.py").symlink_to("nowhere")
    done = kit("init", "python", str(tmp_path))
    said = (
        f"{tmp_path} already contains client.py, driver.py; choose another DIR, or move the files"
    )
    assert (done.status, done.err) == (2, f"arkor-conformance: DIR: {said}\n")
    assert {each.name for each in tmp_path.iterdir()} == {"client.py", "driver.py"}
    assert (tmp_path / "client.py").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_is_not_a_directory(below: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = kit("init", "node", str(file / below))
    said = f"DIR: {file} is not a directory; choose another DIR"
    assert (done.status, done.err) == (2, f"arkor-conformance: {said}\n")


def test_a_driver_without_the_kit_says_what_it_needs(tmp_path: Path) -> None:
    begun("python", tmp_path)
    done = kit("smoke", "--", sys.executable, "-S", "-E", str(tmp_path / "driver.py"))
    assert done.status == 3
    assert "run it with the Python in which the kit is installed" in done.err
