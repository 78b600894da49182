"""Every bad input is one clear line and exit status 2, before anything is sent."""

from pathlib import Path

import pytest

from arkor_proto.cli.main import main
from tests.arkor_proto.cli.command import JOB, TOKEN, environment, job_file

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


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "not TOML: Invalid value (at end of document)"),
        ("nam = 'x'", "nam: no such key; did you mean 'name'?"),
        ("zzz = 1", "zzz: no such key; write one of name, model, dataset, lora, options"),
        ("model = 'm'", 'name: missing; write name = "…"'),
        ("name = 1", 'name: has type int; write name = "…"'),
        ("name = ''", 'name: empty; write name = "…"'),
        ("name = 'n'\nmodel = 'm'", "dataset: missing; write a table [dataset]"),
        (
            "name = 'n'\nmodel = 'm'\ndataset = 'd'",
            "dataset: has type str; write a table [dataset]",
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'hugingface'",
            "dataset: unknown type 'hugingface'; did you mean 'huggingface'?",
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'blob'",
            "dataset: 'url' is missing; a blob dataset needs it",
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'blob'\nurl = 'u'\ntokn = 't'",
            "dataset.tokn: no such key; did you mean 'token'?",
        ),
        (
            "name = 'n'\nmodel = 'm'\n[dataset]\ntype = 'huggingface'\nname = 'd'\nsplit = 1",
            "dataset['split']: it is an int; pass a str",
        ),
        (JOB + "max_stops = 3", "trainer: 'max_stops' is not an option; did you mean 'max_steps'?"),
        (JOB + "[lora]\nrr = 3", "lora: 'rr' is not an option; did you mean 'r'?"),
        (JOB + "[lora]\nalpha = nan", "config: cannot be written as JSON: "),
        (JOB + "warmup_steps = 2026-05-01", "trainer: warmup_steps: it is a date; pass a whole"),
        (JOB + "optim = " + "[" * 100_000, "the values are nested too deeply"),
        ("#" * (2**20 + 1), "larger than 1 MiB"),
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
    assert (
        said(capsys, "run", str(path), *ADDRESS) == f"{path}: not UTF-8 at byte 8; save it as UTF-8"
    )


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
    expected = "token: missing; set ARKOR_TOKEN or give --token-file"
    assert said(capsys, "follow", "j", *ADDRESS) == expected


def test_a_missing_address_says_where_it_may_come_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = "--base-url: missing; give it or set ARKOR_BASE_URL"
    assert said(capsys, "follow", "j") == expected


@pytest.mark.parametrize("content", [b"", b"two words", b"t\xc3\xa4", b"\xff"])
def test_a_token_file_that_holds_no_token_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    expected = f"--token-file {path}: must contain a single token of visible ASCII characters"
    assert said(capsys, "follow", "j", *ADDRESS, "--token-file", str(path)) == expected


def test_a_token_file_that_is_missing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    expected = "--token-file nowhere: No such file or directory"
    assert said(capsys, "follow", "j", *ADDRESS, "--token-file", "nowhere") == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("follow", "."), "job id: '.' cannot be used as a path segment"),
        (("follow", ""), "job id: '' cannot be used as a path segment"),
        (("follow", "\udcff"), "job id: '\\udcff' cannot be used as a path segment"),
        (
            ("follow", "j", "--last-event-id", "\x01"),
            "--last-event-id: it contains control characters",
        ),
        (("follow", "j", "--max-attempts", "-1"), "--max-attempts: '-1' is not a whole number"),
        (
            ("follow", "j", "--initial-delay", "nan"),
            "--initial-delay: 'nan' is not a number of seconds",
        ),
        (("follow", "j", "--max-delay", "-1"), "--max-delay: '-1' is not a number of seconds"),
        (("follow", "j", "--base-url", "ftp://h"), "--base-url: "),
        (
            ("follow", "j", "--base-url", "http://h:99999"),
            "--base-url: the port must be from 1 to 65535",
        ),
        (("follow", "j", "--org", "\udcff"), "--org: "),
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
        ((), "missing command; use one of run, follow, status, cancel"),
        (("walk",), "'walk' is not a command; write one of run, follow, status, cancel"),
        (("run",), "FILE: missing; see `arkor-proto run --help`"),
        (
            ("follow", "j", "--profile", "2026"),
            "--profile: '2026' is not one of '2026-05', '2026-07', 'hardened'; see",
        ),
        (("follow", "j", "--max-delay"), "--max-delay: needs a value; see"),
        (("follow", "j", "--json=s3cret"), "--json: takes no value; see"),
        (("follow", "j", "--max-attempts", "many"), "--max-attempts: 'many' is not a whole number"),
        (
            ("follow", "j", "--token", "s3cret"),
            "--token: a token on the command line is visible to other users; set",
        ),
        (
            ("follow", "j", "--token=s3cret"),
            "--token: a token on the command line is visible to other users; set",
        ),
        (
            ("follow", "j", "--token"),
            "--token: a token on the command line is visible to other users; set",
        ),
        (("follow", "j", "--tokn", "s3cret"), "--tokn: unknown; see"),
        (("follow", "j", "--tokn=s3cret"), "--tokn: unknown; see"),
    ],
)
def test_a_wrong_command_line_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    assert said(capsys, *arguments).startswith(expected)


def test_help_tells_where_the_token_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["follow", "--help"]) == 0
    assert "ARKOR_TOKEN" in capsys.readouterr().out
