"""The guide's code, run as it stands."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mock_server
from mock_server.__main__ import main

pytest_plugins = ["pytester"]

GUIDE = (Path(mock_server.__file__).parent / "GUIDE.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(?:#|//) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {name: content for _, name, content in BLOCK.findall(GUIDE)}


def written(name: str, directory: Path) -> Path:
    path = directory / name
    path.write_text(FILES[name])
    return path


def test_the_scenario_of_the_guide_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(written("flaky.toml", tmp_path))]) == 0
    assert "2 rules" in capsys.readouterr().out


def test_the_pytest_example_passes(pytester: pytest.Pytester) -> None:
    written("flaky.toml", pytester.path)
    written("test_flaky.py", pytester.path)
    options = ("-p", "no:cacheprovider", "-W", "error")
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=3)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node on this machine")
def test_the_node_example_drives_the_process_over_http_only(tmp_path: Path) -> None:
    node = shutil.which("node") or ""
    script = written("drive.mjs", tmp_path)
    ended = subprocess.run(  # noqa: S603 -- our own program
        [node, str(script), sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(mock_server.__file__).parents[1],
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["cut"] == "TypeError"
    assert "training.completed" in found["resumed"]
    assert found["verdict"] == {"status": 200, "body": {"ok": True}}


def test_the_python_example_drives_the_process_over_http_only(tmp_path: Path) -> None:
    ended = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-W", "error", str(written("drive.py", tmp_path))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.stderr == ""
    assert ended.stdout == "503 200 409 ['me(): expected exactly 3, got 2']\n"


def test_every_command_of_the_guide_exists() -> None:
    for command in re.findall(r"arkor-mock (\w[\w-]*)", GUIDE):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
