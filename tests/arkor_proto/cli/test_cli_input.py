"""Every bad input is one clear line and exit code 2, before anything is sent."""

from pathlib import Path

import pytest

from arkor_proto.cli.main import main
from tests.arkor_proto.cli.command import JOB, TOKEN, environment, job_file, run

ADDRESS = ("--base-url", "http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARKOR_BASE_URL", "ARKOR_ORG", "ARKOR_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ARKOR_TOKEN", environment()["ARKOR_TOKEN"])


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that refuses these arguments."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert TOKEN not in err
    return err.removeprefix("arkor-proto: ").rstrip("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "not TOML: Invalid value (at end of document)"),
        ("nam = 'x'", "nam: no such key; did you mean 'name'?"),
        ("zzz = 1", "zzz: no such key; name, model, dataset, lora, options would be right"),
        ("model = 'm'", 'name: missing; name = "…" would be right'),
        ("name = 1", 'name: a value of type int; name = "…" would be right'),
        ("name = ''", 'name: empty; name = "…" would be right'),
        ("name = 'n'\nmodel = 'm'", "dataset: missing; a table [dataset] would be right"),
        (
            "name = 'n'\nmodel = 'm'\ndataset = 'd'",
            "dataset: a value of type str; a table [dataset] would be right",
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'hugingface'",
            "dataset.type: 'hugingface' is unknown; did you mean 'huggingface'?",
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'blob'",
            'dataset.url: missing; url = "…" would be right',
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'blob'\nurl = 'u'\ntokn = 't'",
            "dataset.tokn: no such key; did you mean 'token'?",
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'huggingface'\nname = 'd'\nsplit = 1",
            'dataset.split: a value of type int; split = "…" would be right',
        ),
        (JOB + "max_stops = 3", "trainer: 'max_stops' is no option; did you mean 'max_steps'?"),
        (JOB + "[lora]\nrr = 3", "lora: 'rr' is no option; did you mean 'r'?"),
        (JOB + "[lora]\nr = nan", "config: it cannot be written as JSON: "),
        (JOB + "warmup_steps = 2026-05-01", "config: it cannot be written as JSON: "),
        (JOB + "optim = " + "[" * 100_000, "its values are nested too deeply"),
        ("#" * (2**20 + 1), "larger than 1048576 bytes; a page would be right"),
    ],
)
def test_a_job_file_says_what_is_wrong_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    path = job_file(tmp_path, text)
    assert said(capsys, "run", path, *ADDRESS).startswith(f"{path}: {expected}")


def test_a_job_file_that_is_not_utf8_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(b"name = '\xff'")
    assert said(capsys, "run", str(path), *ADDRESS) == f"{path}: not UTF-8 at byte 8; TOML is"


@pytest.mark.parametrize(
    ("operand", "why"), [("nowhere.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_job_file_that_cannot_be_read_says_why(
    capsys: pytest.CaptureFixture[str], operand: str, why: str
) -> None:
    assert said(capsys, "run", operand, *ADDRESS) == f"{operand}: {why}"


def test_a_missing_token_says_where_it_may_come_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARKOR_TOKEN")
    expected = "token: none is given; ARKOR_TOKEN or --token-file would be right"
    assert said(capsys, "follow", "j", *ADDRESS) == expected


def test_a_missing_address_says_where_it_may_come_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = "base URL: none is given; --base-url or ARKOR_BASE_URL would be right"
    assert said(capsys, "follow", "j") == expected


@pytest.mark.parametrize("content", [b"", b"two words", b"t\xc3\xa4", b"\xff"])
def test_a_token_file_that_holds_no_token_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    expected = f"token file {path}: one word of visible ASCII would be right"
    assert said(capsys, "follow", "j", *ADDRESS, "--token-file", str(path)) == expected


def test_a_token_file_that_is_missing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    expected = "token file nowhere: No such file or directory"
    assert said(capsys, "follow", "j", *ADDRESS, "--token-file", "nowhere") == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("follow", "."), "job id: '.' cannot be one segment of a path"),
        (("follow", ""), "job id: '' cannot be one segment of a path"),
        (("follow", "\udcff"), "job id: '\\udcff' cannot be one segment of a path"),
        (("follow", "j", "--last-event-id", "\x01"), "last_event_id: it holds control characters"),
        (("follow", "j", "--max-attempts", "-1"), "max_attempts: -1 is no count"),
        (("follow", "j", "--initial-delay", "nan"), "initial_delay: nan is no duration"),
        (("cancel", "j", "--max-delay", "-1"), "max_delay: -1.0 is no duration"),
        (("follow", "j", "--base-url", "ftp://h"), "base_url: "),
        (
            ("follow", "j", "--base-url", "http://h:99999"),
            "base_url: its port is not one of 1 to 65535",
        ),
        (("follow", "j", "--org", "\udcff"), "org: "),
    ],
)
def test_a_setting_says_what_is_wrong_with_it(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    address = () if "--base-url" in arguments else ADDRESS
    assert said(capsys, *arguments, *address).startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("walk",), "invalid choice: 'walk'"),
        (("run",), "the following arguments are required: FILE"),
        (("follow", "j", "--profile", "2026"), "invalid choice: '2026'"),
        (("follow", "j", "--max-attempts", "many"), "invalid int value: 'many'"),
        (("follow", "j", "--token", TOKEN), "unrecognized arguments: --token"),
    ],
)
def test_a_wrong_command_line_shows_the_right_one(
    arguments: tuple[str, ...], expected: str
) -> None:
    if TOKEN in arguments:
        arguments = (*arguments[:-1], "something")
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: arkor-proto")
    assert expected in ran.err


def test_help_tells_the_exit_codes_and_where_the_token_comes_from() -> None:
    ran = run("follow", "--help")
    assert ran.code == 0
    assert "130  interrupted" in ran.out
    assert "ARKOR_TOKEN" in ran.out


def test_version_is_told() -> None:
    assert run("--version").out.startswith("arkor-proto ")
