"""The command-line arguments of `arkor-proto`."""

from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Sequence
from typing import Final

from arkor_proto._profile import PROFILES
from arkor_proto.cli.parser import Parser, commands, one_of, seconds, some_seconds, whole
from arkor_proto.cli.settings import DEFAULTS

_COMMANDS: Final = {
    "run": (
        "Submit the job described in a TOML file, and follow it until it ends.",
        "run job.toml --base-url https://api.example.com",
    ),
    "follow": ("Follow an existing job until it ends.", "follow job-1 --last-event-id 42"),
    "status": ("Show the status of a job.", "status job-1"),
    "cancel": ("Ask the backend to stop a job.", "cancel job-1"),
    "demo": ("Watch a client follow a job on a mock backend that breaks the stream.", "demo"),
}
"""The description of each command, and an example of its use."""
_STATUSES: Final = (
    (
        "the job completed (status: it completed or has not ended yet;\n"
        "       cancel: the backend accepted the request)"
    ),
    "the job failed or was cancelled (cancel: the backend refused the request)",
    "gave up on the backend or the network: the outcome of the job is unknown",
)
_MORE: Final = """
An interrupted command leaves its job running. Until the backend has responded
once, any failure ends the command, since the address, the token or the id may
be wrong. After that, requests that fail are retried. If the --state file shows
that the job was followed before, even the first request is retried. HTTPS_PROXY
and NO_PROXY are ignored: the connection is always direct.

environment:
  ARKOR_TOKEN   the token, unless --token-file is given. No option takes the
                token itself: other users can read the arguments of a process,
                and shells keep them in their history
  ARKOR_BASE_URL, ARKOR_ORG, ARKOR_PROJECT
                used if --base-url, --org or --project is not given
"""


def parsed(given: Sequence[str]) -> Namespace:
    """Return the parsed arguments; raise CommandError if they are invalid.

    Raise SystemExit after printing the help text or the version.
    """
    found = commands(
        "arkor-proto", "Submit, follow and cancel training jobs.", _COMMANDS, _STATUSES, _MORE
    )
    run, follow, status, cancel, _ = found.parsers.values()
    run.add_argument("job", metavar="FILE", help="the job file")
    text = "the id of the job [default: the one in the --state file]"
    follow.add_argument("job", metavar="JOB", nargs="?", help=text)
    for command in (status, cancel):
        command.add_argument("job", metavar="JOB", help="the id of the job")
    for command in (run, follow):
        _add_progress(command)
    text = "continue after the event with this id [default: start with the first event]"
    follow.add_argument("--last-event-id", metavar="ID", help=text)
    for command in (run, follow, status, cancel):
        _add_output(command)
        _add_settings(command)
    for command in (run, follow):
        _add_waiting(command)
    return found.parse(given)


def _add_progress(command: Parser) -> None:
    text = (
        "a file in which to save the ids of the job and of the last event shown. If the file "
        "exists, the command continues where the previous one stopped, however that one ended: the "
        "job is submitted once, no event is lost, and at most one is shown twice [default: none]"
    )
    command.add_argument("--state", metavar="FILE", help=text)


def _add_output(command: Parser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    text = "begin each line with the local time; with --json, add it to each object"
    command.add_argument("--timestamps", action="store_true", help=text)
    text = "print only the outcome"
    command.add_argument("-q", "--quiet", action="store_true", help=text)


def _add_settings(command: Parser) -> None:
    text = "the address of the backend [default: ARKOR_BASE_URL]"
    command.add_argument("--base-url", metavar="URL", help=text)
    text = "a file that contains only the token [default: ARKOR_TOKEN]"
    command.add_argument("--token-file", metavar="FILE", help=text)
    command.add_argument("--token", nargs="?", const="", type=_no_token, help=SUPPRESS)
    text = "the organisation [default: ARKOR_ORG]"
    command.add_argument("--org", metavar="SLUG", help=text)
    text = "the project [default: ARKOR_PROJECT]"
    command.add_argument("--project", metavar="SLUG", help=text)
    text = "a PEM file with the certificates to trust [default: the system's]"
    command.add_argument("--ca-file", metavar="FILE", help=text)
    names = [profile.name for profile in PROFILES]
    text = (
        f"the rules to follow: {', '.join(names[:-1])} (revisions of the protocol) or {names[-1]} "
        "[default: %(default)s]"
    )
    command.add_argument(
        "--profile", type=one_of(names), metavar="PROFILE", default=DEFAULTS.profile, help=text
    )


def _add_waiting(command: Parser) -> None:
    text = "give up when more than this many attempts in a row have failed [default: never]"
    command.add_argument("--max-attempts", type=whole, metavar="N", help=text)
    text = (
        "the delay after the first failure; each further failure doubles it [default: %(default)g]"
    )
    initial, longest = DEFAULTS.initial_delay, DEFAULTS.max_delay
    command.add_argument(
        "--initial-delay", type=seconds, default=initial, metavar="SECONDS", help=text
    )
    text = "the maximum delay between attempts [default: %(default)g]"
    command.add_argument("--max-delay", type=seconds, default=longest, metavar="SECONDS", help=text)
    text = (
        "reopen a stream that has been silent for this long "
        "[default: 45 with the hardened profile, otherwise never]"
    )
    command.add_argument("--idle-timeout", type=some_seconds, metavar="SECONDS", help=text)


def _no_token(_: str) -> str:
    raise ArgumentTypeError(
        "a token on the command line is visible to other users; "
        "set ARKOR_TOKEN or give --token-file"
    )
