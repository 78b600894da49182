"""Jobs and their events, in SQLite. What must be decided once is decided by one statement."""

import json
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL; -- enough for a crash of the process
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, org TEXT, project TEXT, name TEXT, config TEXT,
    idempotency_key TEXT, status TEXT, error TEXT, created TEXT, started TEXT, completed TEXT,
    last INTEGER, works INTEGER, UNIQUE (org, project, idempotency_key));
CREATE TABLE IF NOT EXISTS events (
    job TEXT, number INTEGER, type TEXT, data TEXT, PRIMARY KEY (job, number));
"""
STATUS: Final = {"training.completed": "completed", "training.failed": "failed"}
"""The status of a job after an event of this type; after any other it is running."""


def to_json(value: object) -> str:
    """Write JSON as UTF-8 can carry it; raise ValueError for NaN and for a lone surrogate."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    text.encode()
    return text


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Job:
    """A row of the table; `last` is the number of its newest event, 0 if there is none."""

    id: str
    org: str
    project: str
    name: str
    config: str
    idempotency_key: str | None
    status: str
    error: str | None
    created: str
    started: str | None
    completed: str | None
    last: int
    works: int

    def shown(self) -> dict[str, object]:
        """Return the job as the protocol describes it."""
        optional = {"error": self.error, "startedAt": self.started, "completedAt": self.completed}
        return {
            "id": self.id,
            "orgId": self.org,
            "projectId": self.project,
            "name": self.name,
            "status": self.status,
            "config": json.loads(self.config),
            "createdAt": self.created,
            **{name: value for name, value in optional.items() if value is not None},
        }


class Log:
    """All jobs. A file outlives the process; every statement is one short transaction."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def create(
        self, where: tuple[str, str], name: str, config: str, key: str | None, *, works: bool
    ) -> Job:
        """Add a job, or return the one that was made with this key, whatever its name and config.

        The UNIQUE constraint decides which of two overlapping requests with one key makes the job:
        looking for the key first and writing it later makes two jobs now and then (ARK-SRV-6).
        """
        with self._db:
            self._db.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, 'queued', NULL, ?, NULL, NULL, 0, ?) "
                "ON CONFLICT (org, project, idempotency_key) DO NOTHING",
                (ident := f"job-{uuid.uuid4().hex}", *where, name, config, key, _now(), works),
            )
        (job,) = self._jobs(
            "id = ? OR (org, project, idempotency_key) = (?, ?, ?)", ident, *where, key
        )
        return job

    def job(self, ident: str, where: tuple[str, str]) -> Job | None:
        """Return a job of this organisation and project."""
        return next(iter(self._jobs("id = ? AND org = ? AND project = ?", ident, *where)), None)

    def unfinished(self) -> list[Job]:
        """Return the jobs that have work to do."""
        return self._jobs("works AND completed IS NULL")

    def _jobs(self, condition: str, *values: object) -> list[Job]:
        rows = self._db.execute(f"SELECT * FROM jobs WHERE {condition}", values)  # noqa: S608 - ours
        return [Job(**dict(row)) for row in rows]

    def append(self, ident: str, event: dict[str, object]) -> int | None:
        """Add an event and return its number, or None if the job is over (ARK-SRV-45, 51)."""
        kind = str(event["type"])
        status, now = STATUS.get(kind, "running"), _now()
        ended = now if kind in STATUS else None
        with self._db:
            number = self._db.execute(
                "UPDATE jobs SET last = last + 1, status = ?, error = ?, completed = ?, "
                "started = COALESCE(started, ?) WHERE id = ? AND completed IS NULL RETURNING last",
                (status, event.get("error"), ended, now, ident),
            ).fetchall()
            for (n,) in number:
                self._db.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?)", (ident, n, kind, to_json(event))
                )
        return number[0][0] if number else None

    def cancel(self, ident: str) -> bool:
        """End a job as cancelled; False if it was over, which then stays as it is (ARK-SRV-50)."""
        with self._db:
            changed = self._db.execute(
                "UPDATE jobs SET status = 'cancelled', completed = ? "
                "WHERE id = ? AND completed IS NULL",
                (_now(), ident),
            )
        return changed.rowcount == 1

    def after(self, ident: str, number: int, limit: int = 32) -> list[tuple[int, str, str]]:
        """Return number, type and data of the next events after this number."""
        return self._db.execute(
            "SELECT number, type, data FROM events WHERE job = ? AND number > ? "
            "ORDER BY number LIMIT ?",
            (ident, number, limit),
        ).fetchall()

    def keeps(self, job: Job, number: int) -> bool:
        """Return whether all events after this number are there."""
        count = "SELECT COUNT(*) FROM events WHERE job = ? AND number > ?"
        ((kept,),) = self._db.execute(count, (job.id, number))
        return bool(kept == job.last - number)

    def last(self, ident: str) -> int:
        """Return the number of the newest event of a job."""
        return self._jobs("id = ?", ident)[0].last

    def is_over(self, ident: str) -> bool:
        """Return whether a job has ended."""
        return not self._jobs("id = ? AND completed IS NULL", ident)

    def forget(self, ident: str, keep: int) -> None:
        """Delete all but the newest events; their numbers are never used again (ARK-SRV-28)."""
        with self._db:
            self._db.execute(
                "DELETE FROM events WHERE job = ? "
                "AND number <= (SELECT last FROM jobs WHERE id = ?) - ?",
                (ident, ident, keep),
            )
