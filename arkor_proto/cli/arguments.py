"""The command-line arguments of `arkor-proto`."""

from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Sequence
from typing import Final

from arkor_proto._profile import PROFILES
from arkor_proto.cli.parser import Parser, commands, one_of, seconds, some_seconds, whole
from arkor_proto.cli.settings import DEFAULTS

_COMMANDS: Final = {
    "run": (
        "Submit the job that a TOML file describes and follow it to its end.",
        "run job.toml --base-url https://api.example.com",
    ),
    "follow": ("Follow an existing job to its end.", "follow job-1 --last-event-id 42"),
    "status": ("Show the status of a job.", "status job-1"),
    "cancel": ("Ask the backend to stop a job.", "cancel job-1"),
    "demo": ("Watch a job survive a mock backend that breaks its stream.", "demo"),
}
"""The description and the example of each command."""
_STATUSES: Final = (
    "the job completed (status: or is running; cancel: or is being stopped)",
    "the job failed or was cancelled (cancel: the backend refused the request)",
    "gave up on the backend or the network: the outcome of the job is unknown",
)
_MORE: Final = """
An interrupted command leaves its job running. Until the backend has answered
once, a failure ends the command, since the address, the token or the id may be
wrong. Later failures are retried, and so is the first one if the job was
followed before. HTTPS_PROXY and NO_PROXY are not used: the connection is always
direct.

environment:
  ARKOR_TOKEN   the token, unless --token-file is given. No option takes the
                token itself: other users can read the arguments of a process,
                and shells keep them in their history
  ARKOR_BASE_URL, ARKOR_ORG, ARKOR_PROJECT
                used if --base-url, --org or --project is not given
"""


def parsed(given: Sequence[str]) -> Namespace:
    """Return the parsed arguments; raise CommandError, or SystemExit after printing help."""
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
    text = "continue after this event [default: from the start]"
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
        "exists, the command continues from it, however the previous command ended: the job is "
        "submitted once, no event is lost, and at most one is shown twice [default: none]"
    )
    command.add_argument("--state", metavar="FILE", help=text)


def _add_output(command: Parser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    text = "begin each line with the local time, or add it to the JSON"
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
    text = "the certificates to trust, in PEM [default: those of the system]"
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
    text = "give up after more than this many failures in a row [default: never]"
    command.add_argument("--max-attempts", type=whole, metavar="N", help=text)
    text = "the delay after the first failure; each failure doubles it [default: %(default)g]"
    initial, longest = DEFAULTS.initial_delay, DEFAULTS.max_delay
    command.add_argument(
        "--initial-delay", type=seconds, default=initial, metavar="SECONDS", help=text
    )
    text = "the longest delay [default: %(default)g]"
    command.add_argument("--max-delay", type=seconds, default=longest, metavar="SECONDS", help=text)
    text = (
        "reopen a stream that has been silent for this long [default: 45 in hardened, else never]"
    )
    command.add_argument("--idle-timeout", type=some_seconds, metavar="SECONDS", help=text)


def _no_token(_: str) -> str:
    raise ArgumentTypeError(
        "a token on the command line is visible to other users; "
        "set ARKOR_TOKEN or give --token-file"
    )
