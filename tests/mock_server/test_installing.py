"""The plugin imports nothing until it is used, and messages name what is missing or in the way."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from arkor_entry import hiding

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
OPTIONS = (
    *("-p", "no:randomly", "-p", "no:cacheprovider", "-W", "error"),
    *("-p", "no:hypothesispytest", "-p", "no:benchmark", "-p", "no:pytest_cov"),
)
"""Without plugins that have nothing to do with the mock, and take longer to import than a test."""
# As on Windows: there is no fcntl. And whoever imports a package of the project is caught.
NO_FCNTL = """
import sys
sys.modules["fcntl"] = None
"""
NO_PROJECT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"mock_server", "conformance", "arkor_proto"}:
            raise RuntimeError(f"{name} is imported before a fixture is used")
sys.meta_path.insert(0, Refuse())
"""
# As where anyio is not installed. That pytest loads its plugin is up to an option.
NO_ANYIO = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
def without(_, name, *more):
    return None if name.partition(".")[0] == "anyio" else find(name, *more)
PathFinder.find_spec = classmethod(without)
"""
UNRELATED = "def test_it(): pass\n"


@pytest.fixture
def site(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a directory whose `sitecustomize` runs first, with the project found after it."""
    monkeypatch.setenv("PYTHONPATH", f"{pytester.path}{os.pathsep}{ROOT}")
    return pytester


def run(site: pytest.Pytester, first: str, test: str, *more: str) -> pytest.RunResult:
    site.path.joinpath("sitecustomize.py").write_text(first)
    site.makepyfile(test)
    return site.runpytest_subprocess(*OPTIONS, *more)


def test_an_unrelated_run_imports_nothing_and_needs_nothing(site: pytest.Pytester) -> None:
    result = run(site, NO_FCNTL + NO_PROJECT, UNRELATED)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["plugins:*arkor-proto*"])


def test_the_plugin_imports_two_modules_of_its_own_at_most(site: pytest.Pytester) -> None:
    result = run(
        site,
        "",
        "import sys\n"
        "def test_it():\n"
        "    ours = {'mock_server', 'conformance', 'arkor_proto', 'arkor_entry', 'trustme', 'h11'}\n"
        "    assert not ours & {name.partition('.')[0] for name in sys.modules}\n",
    )
    result.assert_outcomes(passed=1)
    done = subprocess.run(
        [sys.executable, "-P", "-c", _COUNT],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.split() == ["pytest_arkor_mock"]


_COUNT = """
import pytest, importlib, typing, collections.abc, sys
before = set(sys.modules)
import pytest_arkor_mock
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (
            "import sys\nsys.modules['h11'] = None",
            "*h11 is not installed; pip install 'arkor-proto?mock?'*",
        ),
    ],
)
def test_a_fixture_says_what_is_missing_and_other_tests_pass(
    site: pytest.Pytester, first: str, said: str
) -> None:
    result = run(
        site,
        first,
        "import pytest\n"
        "def test_one(mock_server): pass\n"
        "@pytest.mark.anyio\n"
        "async def test_two(amock_server): pass\n"
        "@pytest.fixture\n"
        "def anyio_backend(): return 'asyncio'\n"
        "def test_three(): pass\n",
    )
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*another exception occurred*")


def test_an_asynchronous_fixture_names_anyio_where_it_is_missing(site: pytest.Pytester) -> None:
    result = run(
        site,
        NO_ANYIO,
        "import pytest\n"
        "@pytest.mark.anyio\n"
        "async def test_one(amock_server): pass\n"
        "def test_two(): pass\n",
        "--strict-markers",
        *("-p", "no:anyio"),
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*anyio is not installed; pip install 'arkor-proto?mock?'*"])


HIDING = {
    "a module": ("mock_server.py", "mock_server.py"),
    "a package": ("mock_server/__init__.py", "mock_server/"),
    "the core": ("arkor_proto.py", "arkor_proto.py"),
}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param(*each, id=name, marks=() if name == "a module" else pytest.mark.thorough)
        for name, each in HIDING.items()
    ],
)
def test_a_file_of_the_users_that_hides_the_mock_is_named_by_the_fixture(
    site: pytest.Pytester, path: str, shown: str
) -> None:
    file = site.path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("helpers = 1\n")
    package = path.partition("/")[0].removesuffix(".py")
    result = run(
        site,
        "",
        f"import {package}\ndef test_one(mock_server): pass\ndef test_two(): assert {package}.helpers\n",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [f"*{site.path}/{shown} hides the package '{package}' of arkor-proto*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def command(directory: Path, name: str, first: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the entry point of a command with a directory first in the path."""
    directory.joinpath("sitecustomize.py").write_text(first)
    plan = f"import sys, arkor_entry; sys.argv = ['x', '--version']; sys.exit(arkor_entry.{name}())"
    return subprocess.run(
        [sys.executable, "-P", "-c", plan],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}"},
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("mock", "mock_server.py"),
        ("mock", "arkor_proto/__init__.py"),
        ("conformance", "conformance.py"),
        ("conformance", "conformance/__init__.py"),
        ("conformance", "mock_server/__init__.py"),
    ],
)
def test_a_file_of_the_users_that_hides_a_package_is_named_by_the_command(
    tmp_path: Path, name: str, path: str
) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("")
    done = command(tmp_path, name)
    assert done.returncode == 3
    assert re.fullmatch(r"arkor-\w+: .* hides the package '\w+' of arkor-proto; .*\n", done.stderr)


def test_a_directory_without_an_init_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "conformance").mkdir()
    (tmp_path / "mock_server").mkdir()
    for name in ("mock", "conformance"):
        done = command(tmp_path, name)
        assert done.returncode == 0, done.stderr
    assert hiding("arkor_proto", "mock_server", "conformance") is None


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("import sys; sys.modules['anyio'] = None", "anyio is not installed; pip install"),
        ("import sys; sys.modules['h11'] = None", "h11 is not installed; pip install"),
    ],
)
@pytest.mark.parametrize("way", ["entry", "module"])
def test_a_command_that_lacks_something_says_so_in_one_line(
    tmp_path: Path, first: str, said: str, way: str
) -> None:
    if way == "entry":
        done = command(tmp_path, "mock", first)
    else:
        tmp_path.joinpath("sitecustomize.py").write_text(first)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "mock_server", "check", "x.toml"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        )
    assert done.returncode == 3
    assert done.stderr.startswith(f"arkor-mock: {said}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["click", "rich", "jinja2", "anyio", "h11"])
def test_the_kit_names_whatever_it_lacks_before_it_does_anything(
    tmp_path: Path, package: str
) -> None:
    done = command(tmp_path, "conformance", f"import sys; sys.modules[{package!r}] = None")
    assert (done.returncode, done.stdout, done.stderr) == (
        3,
        "",
        f"arkor-conformance: {package} is not installed; pip install 'arkor-proto[conformance]'\n",
    )
