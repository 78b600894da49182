"""The arguments of the command line, and what they and the environment amount to.

It knows options, environment variables and exit codes. It refuses to know what a command does.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

from arkor_proto._backoff import ReconnectPolicy
from arkor_proto._profile import PROFILE_2026_05, PROFILES, Profile
from arkor_proto._version import __version__
from arkor_proto.cli.jobfile import JobFile, read_job_file

COMPLETED: Final = 0
FAILED: Final = 1
USAGE: Final = 2
GAVE_UP: Final = 3
INTERRUPTED: Final = 130

_MAX_TOKEN_FILE: Final = 64 * 2**10
_EPILOG: Final = """\
exit codes:
  0    the job completed (cancel: the backend has taken the request)
  1    the job failed or was cancelled (cancel: the backend declined)
  2    the command line, the job file or a setting is wrong; nothing was sent
  3    gave up: the backend or the network would not let it go on, and how the job ends is unknown
  130  interrupted by Ctrl-C or SIGTERM; the job goes on

environment:
  ARKOR_BASE_URL, ARKOR_ORG, ARKOR_PROJECT   what --base-url, --org and --project say otherwise
  ARKOR_TOKEN                                the token, unless --token-file names a file. There is
                                             no option for the token itself: other users can read
                                             the command line of a process, and shells remember it
"""


@frozen(kw_only=True)
class Settings:
    """What the command was asked to do, and as whom."""

    command: str
    job: JobFile | str
    last_event_id: str
    json: bool
    base_url: str
    token: str = field(repr=False)
    org: str
    project: str
    profile: Profile
    policy: ReconnectPolicy
    repeated: tuple[str, ...]
    """The options that another command for the same job needs as well."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; it exits with 2 where it cannot go on."""
    top = argparse.ArgumentParser(
        prog="arkor-proto",
        description="Submit, follow and cancel training jobs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"arkor-proto {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = {
        "run": ("FILE", "submit the job of a TOML file and follow it to its end"),
        "follow": ("JOB", "follow a job that exists"),
        "cancel": ("JOB", "ask the backend to stop a job"),
    }
    for name, (operand, text) in about.items():
        command = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_argument("job", metavar=operand)
        command.add_argument("--json", action="store_true", help="write one JSON object a line")
        if name == "follow":
            help_text = "go on behind this event, as an earlier command said"
            command.add_argument("--last-event-id", default="", metavar="ID", help=help_text)
        _add_settings(command)
    return top


def _add_settings(command: argparse.ArgumentParser) -> None:
    whom = command.add_argument_group("whom to talk to")
    whom.add_argument("--base-url", metavar="URL", help="the address of the backend")
    whom.add_argument(
        "--token-file", metavar="FILE", help="a file that holds nothing but the token"
    )
    whom.add_argument("--org", metavar="SLUG", help="the organisation")
    whom.add_argument("--project", metavar="SLUG", help="the project")
    how = command.add_argument_group("how to go on after failures")
    names = [profile.name for profile in PROFILES]
    default = PROFILE_2026_05.name
    text = f"the revision of the protocol: {', '.join(names)} (default {default})"
    how.add_argument("--profile", choices=names, default=default, metavar="NAME", help=text)
    text = "failures in a row that are tried again (default: any number)"
    how.add_argument("--max-attempts", type=int, metavar="N", help=text)
    text = "seconds before the first new attempt; it doubles with every failure (default 1)"
    how.add_argument("--initial-delay", type=float, default=1.0, metavar="S", help=text)
    text = "the longest delay, in seconds (default 60)"
    how.add_argument("--max-delay", type=float, default=60.0, metavar="S", help=text)


def settings_of(given: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """Return what was asked for; raises ValueError for what cannot be."""
    words: Mapping[str, object] = vars(given)
    base_url = _setting(words, environment, "base_url")
    if not base_url:
        raise ValueError("base URL: none is given; --base-url or ARKOR_BASE_URL would be right")
    attempts = words["max_attempts"]
    return Settings(
        command=_text(words, "command"),
        job=_job(_text(words, "command"), _text(words, "job")),
        last_event_id=_text(words, "last_event_id"),
        json=words["json"] is True,
        base_url=base_url,
        token=_token(_text(words, "token_file"), environment),
        org=_setting(words, environment, "org"),
        project=_setting(words, environment, "project"),
        profile=Profile.named(_text(words, "profile")),
        policy=ReconnectPolicy(
            initial_delay=_seconds(words, "initial_delay"),
            max_delay=_seconds(words, "max_delay"),
            max_attempts=attempts if isinstance(attempts, int) else None,
        ),
        repeated=_repeated(words),
    )


def _job(command: str, operand: str) -> JobFile | str:
    return read_job_file(Path(operand)) if command == "run" else operand


def _repeated(words: Mapping[str, object]) -> tuple[str, ...]:
    given = {name: _text(words, name) for name in ("base_url", "token_file", "org", "project")}
    return tuple(f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value)


def _token(file: str, environment: Mapping[str, str]) -> str:
    if not file:
        token = environment.get("ARKOR_TOKEN", "").strip()
        if not token:
            raise ValueError("token: none is given; ARKOR_TOKEN or --token-file would be right")
        return token
    try:
        with Path(file).open("rb") as opened:
            words = opened.read(_MAX_TOKEN_FILE).split()
    except OSError as error:
        raise ValueError(f"token file {file}: {error.strerror or error}") from error
    if len(words) != 1 or not words[0].isascii():
        raise ValueError(f"token file {file}: one word of visible ASCII would be right")
    return words[0].decode()


def _setting(words: Mapping[str, object], environment: Mapping[str, str], name: str) -> str:
    return _text(words, name) or environment.get(f"ARKOR_{name.upper()}", "")


def _text(words: Mapping[str, object], name: str) -> str:
    value = words.get(name)
    return value if isinstance(value, str) else ""


def _seconds(words: Mapping[str, object], name: str) -> float:
    value = words[name]
    return value if isinstance(value, float) else 0.0
