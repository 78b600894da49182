"""The settings of `arkor-proto`, read from its arguments and the environment.

`commands.py` uses them.
"""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from arkor_proto._backoff import ReconnectPolicy
from arkor_proto._profile import HARDENED, Profile
from arkor_proto.cli.jobfile import JobFile, read_job_file
from arkor_proto.cli.shell import CommandError
from arkor_proto.cli.state import State, StateFile

_POLICY: Final = ReconnectPolicy()
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
"""The settings whose names are the same in the client and on the command line."""
_WHERE: Final = ("base_url", "token_file", "org", "project", "ca_file")
_HOW: Final = (
    "state",
    "profile",
    "max_attempts",
    "initial_delay",
    "max_delay",
    "idle_timeout",
    "json",
    "timestamps",
    "quiet",
)


@frozen
class Defaults:
    """The default values of options; all other options are empty or off by default."""

    profile: str = HARDENED.name
    initial_delay: float = _POLICY.initial_delay
    max_delay: float = _POLICY.max_delay


DEFAULTS: Final = Defaults()


@frozen(kw_only=True)
class Settings:
    """What the command should do, and with which credentials."""

    command: str
    job: JobFile | str
    """The job to submit, or the id of an existing job."""
    last_event_id: str
    state: StateFile | None
    continues: bool
    """Whether the job was submitted or followed before, so that it must exist on the backend."""
    ca_file: str
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
    """Where the token comes from, as text for a message."""
    address_source: str
    where: tuple[str, ...]
    """The options to repeat in every other command for the same job."""
    how: tuple[str, ...]
    """Additional options to repeat in a command that resumes following the job."""

    @property
    def scope(self) -> str:
        """The organisation and the project, as text for a message; "" if neither was given."""
        named = (("org", self.org), ("project", self.project))
        return ", ".join(f"{kind} {name!r}" for kind, name in named if name)


def settings_of(given: Namespace, environment: Mapping[str, str]) -> Settings:
    """Return the settings for these arguments; raise ValueError if they are invalid."""
    words: Mapping[str, object] = vars(given)
    base_url = _setting(words, environment, "base_url")
    if not base_url:
        raise ValueError("--base-url: missing; give it or set ARKOR_BASE_URL")
    org, project = (_setting(words, environment, name) for name in ("org", "project"))
    work = _work_of(words, State(base_url=base_url, org=org, project=project))
    return Settings(
        command=_text(words, "command"),
        job=work.job,
        last_event_id=work.last_event_id,
        state=work.state,
        continues=work.continues,
        ca_file=_text(words, "ca_file"),
        json=words["json"] is True,
        timestamps=words["timestamps"] is True,
        quiet=words["quiet"] is True,
        base_url=base_url,
        token=_token(_text(words, "token_file"), environment),
        org=org,
        project=project,
        profile=_profile(words),
        policy=_policy(words),
        token_source=_token_source(words),
        address_source="--base-url" if words["base_url"] else "ARKOR_BASE_URL",
        where=_repeated(words, _WHERE),
        how=_repeated(words, _HOW),
    )


def refusal(error: ValueError) -> CommandError:
    """Return the error for a setting that the client rejects, with the name of the option."""
    name, colon, problem = str(error).partition(":")
    option = f"--{name.replace('_', '-')}" if name in _OPTIONS else name
    return CommandError(f"{option}{colon}{problem}")


@frozen
class _Work:
    """The job to submit or follow, and where to start."""

    job: JobFile | str
    last_event_id: str = ""
    state: StateFile | None = None
    continues: bool = False


def _work_of(words: Mapping[str, object], about: State) -> _Work:
    operand, path = _text(words, "job"), _text(words, "state")
    job = read_job_file(Path(operand)) if words["command"] == "run" else None
    cursor = _text(words, "last_event_id")
    if not path:
        if job is None and words["job"] is None:
            raise ValueError("JOB: missing; give the job's id, or its state file with --state")
        return _Work(operand if job is None else job, cursor, continues=cursor != "")
    if cursor:
        raise ValueError(
            "--last-event-id: cannot be combined with --state, which also says where to resume"
        )
    file = StateFile(Path(path), evolve(about, job_file="" if job is None else job.digest))
    saved = file.read()
    if job is not None:
        return _submitted(file, job, saved) if saved is not None else _Work(job, state=file)
    return _followed(file, operand, saved)


def _submitted(file: StateFile, job: JobFile, saved: State) -> _Work:
    """Return the work that remains for a job file that was already submitted."""
    if saved.job_file != job.digest:
        raise ValueError(
            f"--state {file.path}: belongs to another job file; use another state file"
        )
    if not saved.job_id:
        raise ValueError(
            f"--state {file.path}: the submission was interrupted, so the backend may have created "
            f"the job. Look there for a job named {job.name!r}. If there is one, follow it with "
            f"`arkor-proto follow JOB --state={file.path}`; if not, remove the state file to submit "
            "the job again"
        )
    return _Work(saved.job_id, saved.last_event_id, file, continues=True)


def _followed(file: StateFile, job_id: str, saved: State | None) -> _Work:
    """Return the work that remains for an existing job."""
    if saved is not None:
        file = evolve(file, about=evolve(file.about, job_file=saved.job_file))
    if saved is None or not saved.job_id:
        if not job_id:
            raise ValueError(f"JOB: missing; there is no job id in {file.path} yet")
        return _Work(job_id, state=file)
    if job_id not in {"", saved.job_id}:
        raise ValueError(
            f"--state {file.path}: is for job {saved.job_id!r}, not {job_id!r}; use another file"
        )
    return _Work(saved.job_id, saved.last_event_id, file, continues=True)


def _profile(words: Mapping[str, object]) -> Profile:
    profile, silence = Profile.named(_text(words, "profile")), words.get("idle_timeout")
    return evolve(profile, byte_timeout=silence) if isinstance(silence, float) else profile


def _policy(words: Mapping[str, object]) -> ReconnectPolicy:
    attempts = words.get("max_attempts")
    return ReconnectPolicy(
        initial_delay=_seconds(words, "initial_delay"),
        max_delay=_seconds(words, "max_delay"),
        max_attempts=attempts if isinstance(attempts, int) else None,
    )


def _repeated(words: Mapping[str, object], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the given options among `names`, in command-line form; leave out default values."""
    given = {name: words.get(name) for name in names}
    changed = {
        name: value
        for name, value in given.items()
        if value is not None and value is not False and value != getattr(DEFAULTS, name, None)
    }
    return tuple(_option(name, value) for name, value in changed.items())


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
        raise ValueError(
            f"--token-file {file}: must contain a single token of visible ASCII characters"
        )
    return words[0].decode()


def _setting(words: Mapping[str, object], environment: Mapping[str, str], name: str) -> str:
    return _text(words, name) or environment.get(f"ARKOR_{name.upper()}", "")


def _text(words: Mapping[str, object], name: str) -> str:
    value = words.get(name)
    return value if isinstance(value, str) else ""


def _seconds(words: Mapping[str, object], name: str) -> float:
    value = words.get(name)
    return value if isinstance(value, float) else 0.0
