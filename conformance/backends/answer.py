"""A response from the backend, and the job that the response contains."""

import json
import re
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from conformance.backends.wire import CUT, LEFT, RESET
from conformance.plain import shortened
from conformance.strict_data import Json
from conformance.trace.events import Event

_SHOWN: Final = 200
_ID: Final = re.compile(rb'"id"\s*:\s*"([^"\\]+)"')
_CUT_SHORT: Final = {
    LEFT: "and the body did not end in time",
    "": "and the body did not end",
    CUT: "and the body was cut off",
    RESET: "and the body was cut off",
}


@frozen(kw_only=True)
class Answer:
    """A response, as far as the kit received it; `status` is 0 if the backend sent none."""

    route: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    ended: str
    problem: str = ""
    event: Event | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """True if the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP

    @property
    def refuses(self) -> bool:
        """True if the status is 4xx."""
        return 400 <= self.status < 500  # noqa: PLR2004 - HTTP

    def header(self, name: str) -> str:
        """Return the value of a header field; "" if the field is missing."""
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def table(self) -> Mapping[str, Json] | None:
        """The JSON object in the body; None if the body is anything else."""
        try:
            value: Json = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, Mapping) else None

    @property
    def job(self) -> Mapping[str, Json]:
        """The job object in the body; empty if there is none."""
        job = (self.table or {}).get("job")
        return job if isinstance(job, Mapping) else {}

    @property
    def job_id(self) -> str:
        """The id of the job in the body; "" if there is none."""
        found = self.job.get("id")
        return found if isinstance(found, str) and is_text(found) else ""

    @property
    def job_status(self) -> str:
        """The status of the job in the body; "" if there is no job or no status."""
        return str(self.job.get("status", ""))

    @property
    def made(self) -> str:
        """The id of the created job, found even in a truncated body; "" if it cannot be determined."""
        if self.job_id or not self.ok:
            return self.job_id
        found = _ID.search(self.body)
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def told(self) -> str:
        """A short description of the response, for messages: status, media type and error text."""
        if not self.status:
            return f"no response: {self.problem or self.ended or 'the backend was silent'}"
        kind = self.header("content-type").partition(";")[0]
        cut = f", {_CUT_SHORT[self.ended]}" if self.ended in _CUT_SHORT else ""
        return f"{self.status}{f' {kind}' if kind else ''}{self._said}{cut}"

    @property
    def _said(self) -> str:
        error = (self.table or {}).get("error")
        return f' "{shortened(error, _SHOWN)}"' if isinstance(error, str) else ""


def is_text(value: str) -> bool:
    """Return whether a string can be encoded as UTF-8; one with a lone surrogate cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
