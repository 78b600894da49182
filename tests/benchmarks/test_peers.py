"""Tests of the command that compares with peers: what it measures, prints and writes."""

import json
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.arkor_proto.sse_vectors import Vector
from tests.benchmarks.peers import client_speed, command, comparison, known, parser_speed
from tests.benchmarks.peers.comparison import QUICK, Comparison, compare
from tests.benchmarks.peers.correctness import Correctness, Wrong, judge, public_vectors
from tests.benchmarks.peers.fitting import fitted
from tests.benchmarks.peers.goals import Verdict
from tests.benchmarks.peers.growth import Curve
from tests.benchmarks.peers.known import OURS, PARSERS, LeftOut, parser_workers
from tests.benchmarks.peers.markdown import document
from tests.benchmarks.peers.page import page
from tests.benchmarks.peers.readers import is_here
from tests.benchmarks.peers.symptoms import NUL
from tests.benchmarks.peers.workers import PeerFailed, Worker
from tests.conformance.browser import MISSING, find, opened, started

ROOT = Path(__file__).parents[2]
VOID = frozenset({"meta", "br", "path", "img", "link", "input"})
PUBLIC = public_vectors()


def simple_vectors() -> list[Vector]:
    """Return two vectors that every parser gets right."""
    return [vector for vector in PUBLIC if vector["id"] in {"W25", "W28"}]


def planted(deed: str) -> Worker:
    """Return the worker of a parser that does `deed` at its second stream."""
    return Worker("planted", (sys.executable, "-m", "tests.benchmarks.planted_parser", deed))


def sample() -> Comparison:
    """Return a possible comparison, with texts that a page must escape."""
    wrong = [Wrong(v, f"source of {v}", NUL, cut=v == "W02") for v in ("W01", "W02")]
    lines = fitted([(2**n, 4.0**n) for n in range(5)])
    flat = fitted([(2**n, 1.0) for n in range(5)])
    found = Comparison(quick=False)
    found.versions = {OURS: "1.0", "peer<b>": "2.0"}
    found.vectors = 70
    found.correctness = [Correctness(OURS, "1.0", 70, []), Correctness("peer<b>", "2.0", 68, wrong)]
    found.parser = [
        parser_speed.Row("W1", "frames", {OURS: 1.0, "peer<b>": 2.0, "floor": 0.5}, {}),
        parser_speed.Row("W2", "frames", {OURS: 1.0}, {"peer<b>": "raises ValueError: <script>"}),
    ]
    paces = {OURS: client_speed.Pace(9.0, 1.0)}
    found.client = [client_speed.Row("replay", "all at once", paces, {"peer<b>": "hangs"})]
    found.curves = [
        Curve("events", "events & more", OURS, "time", flat),
        Curve("events", "events & more", "peer<b>", "time", lines),
        Curve("events", "events & more", OURS, "memory", flat),
        Curve("replay", "events that wait", OURS, "time", None, "raises <i>"),
    ]
    found.goals = [Verdict("a goal", "1.00 x", "≥ 2", met=False), Verdict("b", "2", "1", met=True)]
    found.left_out = [LeftOut("absent", "pip install absent")]
    return found


def compared_already(*_: object, **__: object) -> Comparison:
    """Return the sample in place of a comparison."""
    return sample()


def needs_nothing(modules: tuple[str, ...]) -> bool:
    """Return whether a peer can be used if no module is installed."""
    return not modules


class Checked(HTMLParser):
    """Reads a page strictly: every element is closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.drawings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element that begins, and its links."""
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "srcset"}]
        self.drawings += tag == "svg"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element that has no end tag."""
        self.handle_starttag(tag, attrs)


def test_the_page_is_well_formed_and_asks_for_no_other_file() -> None:
    text = page(sample())
    checked = Checked()
    checked.feed(text)
    checked.close()
    assert (checked.open, checked.links, checked.drawings) == ([], [], 2)
    assert "default-src 'none'" in text
    assert "url(" not in text
    for piece in text.split("<svg")[1:]:
        ET.fromstring("<svg" + piece.partition("</svg>")[0] + "</svg>")  # noqa: S314 - ours


def test_the_page_lists_each_vector_that_a_peer_fails_and_escapes_what_it_quotes() -> None:
    text = page(sample())
    of_peer = text.partition("peer&lt;b&gt;")[2].partition("</details>")[0]
    for name in ("W01", "W02"):
        assert f"{name}</span> {NUL}" in of_peer
    assert "66 of 68 right" in of_peer
    assert f"{NUL} (1)" in of_peer
    assert "pip install absent" in text
    for raw in ("peer<b>", "<script>:", "<i>"):
        assert raw not in text


def test_markdown_and_json_have_the_same_figures() -> None:
    found = sample()
    text = document(found)
    told = json.loads(json.dumps(found.as_json()))
    assert (told["schema"], told["met"], told["missed"]) == ("arkor-peers/1", 1, 1)
    assert [each["right_byte_by_byte"] for each in told["correctness"]] == [70, 66]
    assert [each["kind"] for each in told["curves"]] == ["flat", "quadratic", "flat", ""]
    assert "- peer<b> fails W01, W02" in text
    assert "2.00 ± 0.00 **quadratic**" in text
    assert "- a goal: 1.00 x (≥ 2)" in text
    assert text.splitlines()[-1] == (
        f"peers: 1 of 2 goals met, {OURS} fails 0 of 70 public vectors, 1 peers fail 2 to 2,"
        " 1 of 2 grow worse than linearly"
    )


@pytest.mark.parametrize(
    ("deed", "means"),
    [
        ("raise", "raises UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff"),
        ("hang", "hangs: no answer within 3 s"),
        ("end", "ends its process with status 3"),
    ],
)
def test_a_peer_that_fails_at_a_vector_is_asked_about_the_next(deed: str, means: str) -> None:
    with planted(deed) as worker:
        found = judge(worker, simple_vectors(), patience=3)
    assert found.asked == 2
    # The second stream of each process is the vector byte by byte.
    first = found.wrong[0]
    assert (first.vector, first.cut) == ("W25", True)
    assert first.means.startswith(means)
    assert len(found.wrong) == (1 if deed == "raise" else 2)  # a new process does it again


def test_what_a_peer_prints_is_not_taken_for_an_answer() -> None:
    with planted("print") as worker:
        assert judge(worker, simple_vectors()).wrong == ()


def test_a_peer_that_does_not_start_says_so() -> None:
    program = (sys.executable, "-c", "import nothing_of_this_name")
    ends = pytest.raises(PeerFailed, match="ends its process with status 1")
    with Worker("broken", program) as worker, ends:
        worker.hello()


def test_with_no_peer_at_all_ours_is_measured_and_each_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "is_here", needs_nothing)
    monkeypatch.setenv("PATH", "/nowhere")
    workers, left_out = parser_workers()
    for worker in workers:
        worker.stop()
    assert [worker.name for worker in workers] == [OURS]
    assert [each.name for each in left_out] == [*list(PARSERS)[1:], known.NODE]
    assert {each.install for each in left_out[:-1]} == {known.INSTALL}
    assert left_out[-1].install == f"Node.js, then {known.INSTALL_NODE}"


def test_the_extra_installs_every_peer_that_is_known() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {each.partition(">=")[0] for each in project["optional-dependencies"]["peers"]}
    assert {*PARSERS} - {OURS} <= named


@pytest.mark.timeout(300)
def test_the_short_form_measures_the_parsers_that_are_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "peers.html", tmp_path / "peers.json"
    options = ["--quick", "--check", "--only", "parser"]
    status = command.main([*options, "--page", str(files[0]), "--json", str(files[1])])
    assert status == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("peers: 1 of 1 goals met, arkor-proto fails 0 of 70")
    told = json.loads(files[1].read_text("utf-8"))
    assert [row["name"] for row in told["parser"]] == [each.name for each in QUICK.chosen()]
    here = {name for name, each in PARSERS.items() if is_here(each.needs)}
    assert here <= {each["name"] for each in told["correctness"]} <= here | {known.NODE}
    assert "peers" in files[0].read_text("utf-8")


@pytest.mark.thorough
def test_the_whole_short_form_runs() -> None:
    heard: list[str] = []
    found = compare(comparison.PARTS, QUICK, quick=True, tell=heard.append)
    assert [row.stream for row in found.client] == ["chunked", "replay"]
    assert all(OURS in row.paces for row in found.client)
    assert {(c.axis, c.cost) for c in found.curves if c.name == OURS} == {
        (axis, cost) for axis in ("data lines", "events") for cost in ("time", "memory")
    }
    assert [goal.what for goal in found.missed] == []
    assert "client: chunked" in heard


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--only", "all"], "invalid choice: 'all'"),
        (["--page"], "expected one argument"),
        (["--page", "."], ". is a directory; give the name of a file"),
        (["--json", "no/such/folder/peers.json"], "no/such/folder is not a directory"),
        (["--page", "a", "--json", "a"], "--page and --json name the same file; use two files"),
        (["peers.html"], "unrecognized arguments: peers.html"),
    ],
)
def test_bad_options_are_refused_before_anything_is_measured(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(options)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--check"], 1)])
def test_a_missed_goal_is_a_failure_if_goals_are_checked(
    options: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "compare", compared_already)
    assert command.main(options) == status


def test_ctrl_c_is_one_line_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> Comparison:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "compare", interrupted)
    assert command.main([]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_without_what_the_command_itself_needs_it_says_what_to_install() -> None:
    program = "import runpy, sys; sys.modules['anyio'] = None; sys.modules['jinja2'] = None;"
    program += "runpy.run_module('tests.benchmarks.peers', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"\S+ is not installed; type: pip install -e '\.\[test,peers\]'\n", done.stderr
    )


def test_a_page_that_cannot_be_written_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "compare", compared_already)
    assert command.main(["--page", "/proc/peers.html"]) == 2
    assert capsys.readouterr().err.startswith("cannot write /proc/peers.html: ")


@pytest.mark.thorough
@pytest.mark.skipif(find() is None, reason=MISSING)
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_page_fits_a_phone_and_asks_for_itself_alone(
    tmp_path: Path, width: int, colours: str
) -> None:
    file = tmp_path / "peers.html"
    file.write_text(page(sample()), encoding="utf-8")
    program = find()
    assert program is not None
    with started(program, tmp_path / "browser") as browser, opened(browser) as shown:
        shown.screen(width, 800, mobile=width == 360)
        shown.media(colours=colours)
        shown.go(file.as_uri())
        assert (shown.requests(), shown.complaints()) == ([file.as_uri()], [])
        assert shown.holds("document.documentElement.scrollWidth <= innerWidth")
        assert shown.text("document.documentElement.dataset.theme") == colours
