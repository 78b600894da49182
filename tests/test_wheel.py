"""The wheel by itself, in a new environment with attrs and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import ROOT, Finished

pytestmark = pytest.mark.thorough

TEST = """
import pytest

def test_plain(mock_server):
    pass

@pytest.mark.anyio
async def test_asynchronous(amock_server):
    pass
"""


def ran(*words: str | Path, cwd: Path) -> Finished:
    """Run a program as on a machine on which this checkout is not found."""
    done = subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs of an environment into which the wheel was installed without an extra."""
    folder = tmp_path_factory.mktemp("bare")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    (wheel,) = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    return python.parent


def test_the_wheel_has_what_the_kit_reads_of_the_specification(bare: Path) -> None:
    (home,) = bare.parent.glob("lib/python*/site-packages/conformance")
    found = {str(path.relative_to(home / "_spec")) for path in (home / "_spec").rglob("*.*")}
    read = {"protocol.md", "requirements.toml", "sources.md"}
    read |= {"backend.md", "backend-requirements.toml"}
    assert found == {*read, "driver-guide.md", "schemas/drive.schema.json"}
    guide = (home / "_spec" / "driver-guide.md").read_text("utf-8")
    assert set(re.findall(r"\]\((?!http)([^)#]+)", guide)) <= found
    assert not (home / "generate").exists()


def test_the_wheel_has_what_init_writes(bare: Path) -> None:
    (package,) = bare.parent.glob("lib/*/site-packages/conformance")
    starters = ROOT / "conformance" / "starters"
    written = [each for each in starters.rglob("*") if each.is_file() and each.suffix != ".pyc"]
    assert len(written) > len(("driver", "client")) * 2
    for each in written:
        assert (package / each.relative_to(starters.parent)).read_bytes() == each.read_bytes()


def test_every_command_works_or_names_the_extra_that_it_needs(bare: Path, tmp_path: Path) -> None:
    for option in ("--help", "--version"):
        assert ran(bare / "arkor-proto", option, cwd=tmp_path).status == 0
    (tmp_path / "token").write_text("secret")
    follow = ("follow", "job-1", "--token-file", "token", "--base-url", "http://127.0.0.1:9")
    said = "arkor-proto: h11 is not installed; pip install 'arkor-proto[anyio]'\n"
    assert ran(bare / "arkor-proto", *follow, cwd=tmp_path) == Finished(3, "", said)
    said = "arkor-proto: anyio is not installed; pip install 'arkor-proto[mock]'\n"
    assert ran(bare / "arkor-proto", "demo", cwd=tmp_path) == Finished(3, "", said)
    for command, package, extra in (
        ("arkor-mock", "anyio", "mock"),
        ("arkor-conformance", "click", "conformance"),
    ):
        for option in ("--help", "--version"):
            said = f"{command}: {package} is not installed; pip install 'arkor-proto[{extra}]'\n"
            assert ran(bare / command, option, cwd=tmp_path) == Finished(3, "", said)


def test_pytest_names_the_extra_of_the_fixtures(bare: Path, tmp_path: Path) -> None:
    subprocess.run([bare / "python", "-m", "pip", "install", "--quiet", "pytest"], check=True)
    (tmp_path / "test_it.py").write_text(TEST)
    done = ran(bare / "pytest", "--strict-markers", "test_it.py", cwd=tmp_path)
    said = "the fixtures of arkor-proto: anyio is not installed; pip install 'arkor-proto[mock]'"
    assert "2 errors" in done.out
    assert done.out.count(f"\n{said}\n") == 2
    assert "not found" not in done.out
