"""The backend that is judged: where it is, and what the kit may use there."""

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from attrs import evolve, field, frozen

from conformance.strict_data import Json, UsageError

JOB_BODY: Final[Mapping[str, Json]] = {
    "name": "arkor-conformance",
    "config": {
        "model": "kit/model",
        "datasetSource": {"type": "huggingface", "name": "kit/dataset"},
    },
}
"""What is submitted if the user gives no job."""
_HIGHEST_PORT: Final = 65_535
HIDDEN: Final = "[secret]"


def as_segment(job: str) -> str:
    """Encode a job id as one segment of a path (RFC 3986, 2.2)."""
    return quote(job, safe="")


@frozen(kw_only=True)
class Target:
    """A backend. The tokens are never shown: `hide` takes them out of a text."""

    host: str
    port: int
    prefix: str = ""
    """The path before `/v1`, without a slash at its end."""
    tls: ssl.SSLContext | None = field(default=None, repr=False, eq=False)
    org: str = "kit-org"
    project: str = "kit-project"
    token: str = field(default="", repr=False)
    other_token: str = field(default="", repr=False)
    """A token of another tenant; empty if there is none."""
    body: Mapping[str, Json] = field(factory=lambda: dict(JOB_BODY))
    """What a create submits."""

    def at(self, url: str, *, ca_file: str = "") -> "Target":
        """Return the target at another address; raises UsageError."""
        return evolve(self, **_address(url, ca_file))

    @property
    def url(self) -> str:
        """Its address."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{self.authority}{self.prefix}"

    @property
    def authority(self) -> str:
        """Host and port, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, where jobs and connections cost nobody anything."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def query(self, org: str | None = None, project: str | None = None) -> str:
        """Return the query that every call has."""
        names = {"orgSlug": org or self.org, "projectSlug": project or self.project}
        return urlencode(names, quote_via=quote)

    def jobs(self, rest: str = "", org: str | None = None, project: str | None = None) -> str:
        """Return the request target of the jobs, or of what is below: `/job-1/cancel`."""
        return f"{self.prefix}/v1/jobs{rest}?{self.query(org, project)}"

    def job(self, job: str, rest: str = "", **names: str | None) -> str:
        """Return the request target of a job, or of what is below it."""
        return self.jobs(f"/{as_segment(job)}{rest}", **names)

    def hide(self, text: str) -> str:
        """Return a text without the tokens."""
        for secret in (self.token, self.other_token):
            if secret:
                text = text.replace(secret, HIDDEN)
        return text


def _address(url: str, ca_file: str) -> dict[str, object]:
    where = f"--base-url {url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(where, f"is not a URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(where, "is not the address of a backend; write it like https://host/path")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(where, "has more than scheme, host, port and path; leave the rest out")
    context = None
    if parts.scheme == "https":
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
        except OSError as error:
            raise UsageError(f"--ca-file {ca_file}", f"cannot be used: {error}") from error
    if port is not None and not 0 < port <= _HIGHEST_PORT:
        raise UsageError(where, "has a port that does not exist")
    return {
        "host": parts.hostname,
        "port": port or (80 if context is None else 443),
        "prefix": parts.path.rstrip("/"),
        "tls": context,
    }


def target_of(url: str, *, ca_file: str = "", **values: str | Mapping[str, Json]) -> Target:
    """Return the target at an address; raises UsageError."""
    kept: dict[str, object] = {name: value for name, value in values.items() if value}
    return evolve(Target(host="", port=0), **_address(url, ca_file), **kept)
