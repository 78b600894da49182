"""The `--state` file, which stores a job's id and cursor so that a later command can resume.

The file is always replaced as a whole, so a process that is killed leaves either the old file or
the new one. After a power failure, the stored cursor may be a few events behind.
"""

import json
import os
from pathlib import Path
from typing import Final

from attrs import evolve, field, fields, frozen

from arkor_proto._json import camel, check_job_id
from arkor_proto._walk import is_object
from arkor_proto._wire import cursor_problem

_MARK: Final = "arkorState"
_VERSION: Final = 1
_MAX_BYTES: Final = 64 * 2**10


@frozen(kw_only=True)
class State:
    """The contents of a state file; `job_id` is empty until the job's submission has succeeded."""

    base_url: str
    org: str = ""
    project: str = ""
    job_file: str = ""
    """The digest of the job file that was submitted; "" if the job was only followed."""
    job_id: str = ""
    last_event_id: str = ""


_NAMES: Final = tuple(each.name for each in fields(State))


@frozen
class StateFile:
    """The path of a state file, and the settings that the job saved there must have."""

    path: Path
    about: State = field()
    """What `write` stores, apart from the job's id and the cursor."""

    def read(self) -> State | None:
        """Return the state, or None if there is no file; raise ValueError if it is unusable."""
        try:
            with self.path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ValueError(f"--state {self.path}: {error.strerror or error}") from error
        state = _decoded(content)
        if state is None:
            problem = "this is not an arkor-proto state file; remove it, or use another file"
            raise ValueError(f"--state {self.path}: {problem}")
        self._check(state)
        return state

    def write(self, job_id: str, last_event_id: str = "") -> None:
        """Replace the file's contents; raise an OSError that names the file if that fails."""
        state = evolve(self.about, job_id=job_id, last_event_id=last_event_id)
        values = {camel(name): getattr(state, name) for name in _NAMES}
        text = json.dumps({_MARK: _VERSION, **values})
        target = self.path.resolve()
        temporary = target.with_name(f".{target.name}.new")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text + "\n")
                if not last_event_id:  # the id of a new job must survive even a power failure
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def remove(self) -> None:
        """Remove the file if it exists, because no job was created."""
        self.path.unlink(missing_ok=True)

    def _check(self, state: State) -> None:
        for name in ("base_url", "org", "project"):
            theirs, ours = getattr(state, name), getattr(self.about, name)
            if theirs != ours:
                option = f"--{name.replace('_', '-')}"
                problem = f"was saved with {option} {theirs!r}, not {ours!r}; use another file"
                raise ValueError(f"--state {self.path}: {problem}")


def _decoded(content: bytes) -> State | None:
    try:
        found = json.loads(content) if len(content) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        return None
    if not is_object(found) or found.get(_MARK) != _VERSION:
        return None
    values = {name: found.get(camel(name)) for name in _NAMES}
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    if len(texts) < len(values):
        return None
    state = State(**texts)
    try:
        check_job_id(state.job_id or "not submitted")
    except ValueError:
        return None
    return None if cursor_problem(state.last_event_id) else state
