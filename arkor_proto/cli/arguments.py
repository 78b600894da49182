"""The arguments of `arkor-proto`, and what they and the environment amount to.

What a command does with them is not decided here.
"""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import field, frozen

from arkor_proto._backoff import ReconnectPolicy
from arkor_proto._profile import HARDENED, PROFILES, Profile
from arkor_proto.cli.jobfile import JobFile, read_job_file
from arkor_proto.cli.parser import Parser, commands, seconds, whole
from arkor_proto.cli.shell import CommandError

_MAX_TOKEN_FILE: Final = 64 * 2**10
_OPTIONS: Final = (
    "base_url",
    "org",
    "project",
    "last_event_id",
    "max_attempts",
    "initial_delay",
    "max_delay",
)
"""Settings that the client calls by the same names as the options."""
_WHERE: Final = ("base_url", "token_file", "org", "project")
_HOW: Final = (
    "profile",
    "max_attempts",
    "initial_delay",
    "max_delay",
    "json",
    "timestamps",
    "quiet",
)
_DEFAULTS: Final[Mapping[str, object]] = {
    "profile": HARDENED.name,
    "initial_delay": 1.0,
    "max_delay": 60.0,
    "json": False,
    "timestamps": False,
    "quiet": False,
}
_COMMANDS: Final = {
    "run": (
        "Submit the job of a TOML file and follow it to its end.",
        "run job.toml --base-url https://api.example.com",
    ),
    "follow": ("Follow an existing job to its end.", "follow job-1 --last-event-id 42"),
    "cancel": ("Ask the backend to stop a job.", "cancel job-1"),
}
"""The sentence and the example of each command."""
_STATUSES: Final = (
    "the job completed (cancel: the backend has accepted the request)",
    "the job failed or was cancelled (cancel: the backend refused)",
    "gave up on the backend or the network: how the job ends is unknown",
)
_MORE: Final = """
An interrupted command leaves its job running.

environment:
  ARKOR_TOKEN   the token, unless --token-file names a file. There is no option for the token
                itself: other users can read the arguments of a process, and shells keep them
  ARKOR_BASE_URL, ARKOR_ORG, ARKOR_PROJECT   used where --base-url, --org, --project are not given
"""


@frozen(kw_only=True)
class Settings:
    """What the command was asked to do, and as whom."""

    command: str
    job: JobFile | str
    last_event_id: str
    json: bool
    timestamps: bool
    quiet: bool
    base_url: str
    token: str = field(repr=False)
    org: str
    project: str
    profile: Profile
    policy: ReconnectPolicy
    token_source: str
    """Where the token comes from: a variable, or an option with its file."""
    address_source: str
    where: tuple[str, ...]
    """The options that every other command for the same job needs as well."""
    how: tuple[str, ...]
    """The options that following it again needs as well."""

    @property
    def scope(self) -> str:
        """The organisation and the project in words, "" if neither was given."""
        named = (("org", self.org), ("project", self.project))
        return ", ".join(f"{kind} {name!r}" for kind, name in named if name)


def parsed(given: Sequence[str]) -> Namespace:
    """Return the arguments; raises CommandError, and SystemExit after a help."""
    found = commands(
        "arkor-proto", "Submit, follow and cancel training jobs.", _COMMANDS, _STATUSES, _MORE
    )
    run, follow, cancel = found.parsers.values()
    run.add_argument("job", metavar="FILE", help="the job file")
    for command in (follow, cancel):
        command.add_argument("job", metavar="JOB", help="the id of the job")
    follow.add_argument(
        "--last-event-id",
        default="",
        metavar="ID",
        help="continue after this event [default: from the start]",
    )
    for command in found.parsers.values():
        _add_output(command)
        _add_settings(command)
    return found.parse(given)


def _add_output(command: Parser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    text = "begin each line with the local time, or put it into the JSON"
    command.add_argument("--timestamps", action="store_true", help=text)
    text = "print how it ends and nothing else"
    command.add_argument("-q", "--quiet", action="store_true", help=text)


def _add_settings(command: Parser) -> None:
    text = "the address of the backend [default: ARKOR_BASE_URL]"
    command.add_argument("--base-url", metavar="URL", help=text)
    text = "a file with the token and nothing else [default: ARKOR_TOKEN]"
    command.add_argument("--token-file", metavar="FILE", help=text)
    text = "the organisation [default: ARKOR_ORG]"
    command.add_argument("--org", metavar="SLUG", help=text)
    text = "the project [default: ARKOR_PROJECT]"
    command.add_argument("--project", metavar="SLUG", help=text)
    names = [profile.name for profile in PROFILES]
    text = "the rules to follow: a revision of the protocol, or its strictest form [default: %(default)s]"
    command.add_argument("--profile", choices=names, default=HARDENED.name, help=text)
    text = "retry after this many failures in a row, then give up [default: any number]"
    command.add_argument("--max-attempts", type=whole, metavar="N", help=text)
    text = "the delay after the first failure; it doubles with each [default: %(default)g]"
    command.add_argument("--initial-delay", type=seconds, default=1.0, metavar="SECONDS", help=text)
    text = "the longest delay [default: %(default)g]"
    command.add_argument("--max-delay", type=seconds, default=60.0, metavar="SECONDS", help=text)


def settings_of(given: Namespace, environment: Mapping[str, str]) -> Settings:
    """Return what was asked for; raises ValueError for what cannot be."""
    words: Mapping[str, object] = vars(given)
    base_url = _setting(words, environment, "base_url")
    if not base_url:
        raise ValueError("--base-url: missing; give it or set ARKOR_BASE_URL")
    attempts = words["max_attempts"]
    return Settings(
        command=_text(words, "command"),
        job=_job(_text(words, "command"), _text(words, "job")),
        last_event_id=_text(words, "last_event_id"),
        json=words["json"] is True,
        timestamps=words["timestamps"] is True,
        quiet=words["quiet"] is True,
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
        token_source=_token_source(words),
        address_source="--base-url" if words["base_url"] else "ARKOR_BASE_URL",
        where=_repeated(words, _WHERE),
        how=_repeated(words, _HOW),
    )


def refusal(error: ValueError) -> CommandError:
    """Return what to say about a setting that the client refuses, with the name of the option."""
    name, colon, problem = str(error).partition(":")
    option = f"--{name.replace('_', '-')}" if name in _OPTIONS else name
    return CommandError(f"{option}{colon}{problem}")


def _job(command: str, operand: str) -> JobFile | str:
    return read_job_file(Path(operand)) if command == "run" else operand


def _repeated(words: Mapping[str, object], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the options of these names that were given, as one would give them again."""
    given = {name: words[name] for name in names if words[name] not in {None, _DEFAULTS.get(name)}}
    return tuple(_option(name, value) for name, value in given.items())


def _option(name: str, value: object) -> str:
    option = f"--{name.replace('_', '-')}"
    if value is True:
        return option
    return f"{option}={value:g}" if isinstance(value, float) else f"{option}={value}"


def _token_source(words: Mapping[str, object]) -> str:
    file = _text(words, "token_file")
    return f"the token in {file}" if file else "ARKOR_TOKEN"


def _token(file: str, environment: Mapping[str, str]) -> str:
    if not file:
        token = environment.get("ARKOR_TOKEN", "").strip()
        if not token:
            raise ValueError("token: missing; set ARKOR_TOKEN or give --token-file")
        return token
    try:
        with Path(file).open("rb") as opened:
            words = opened.read(_MAX_TOKEN_FILE).split()
    except OSError as error:
        raise ValueError(f"--token-file {file}: {error.strerror or error}") from error
    if len(words) != 1 or not words[0].isascii():
        raise ValueError(f"--token-file {file}: must contain one token of visible ASCII")
    return words[0].decode()


def _setting(words: Mapping[str, object], environment: Mapping[str, str], name: str) -> str:
    return _text(words, name) or environment.get(f"ARKOR_{name.upper()}", "")


def _text(words: Mapping[str, object], name: str) -> str:
    value = words.get(name)
    return value if isinstance(value, str) else ""


def _seconds(words: Mapping[str, object], name: str) -> float:
    value = words[name]
    return value if isinstance(value, float) else 0.0
