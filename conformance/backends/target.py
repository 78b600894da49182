"""The backend to judge: its address, and the tokens and the job that the kit may use there."""

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from attrs import evolve, field, frozen

from conformance.plain import TELLING, without_secrets
from conformance.strict_data import Json, UsageError

JOB_BODY: Final[Mapping[str, Json]] = {
    "name": "arkor-conformance",
    "config": {
        "model": "kit/model",
        "datasetSource": {"type": "huggingface", "name": "kit/dataset"},
    },
}
"""The body of a create request if the user supplies no job."""
CLIENT_NAME: Final = "arkor-conformance"


def fits_a_header(token: str) -> bool:
    """Return whether a token can be sent in a header."""
    return token.isascii() and (not token or token.isprintable()) and " " not in token


def as_segment(job: str) -> str:
    """Encode a job id as one path segment (RFC 3986, 2.2)."""
    return quote(job, safe="")


@frozen(kw_only=True)
class Address:
    """The address of a backend."""

    host: str
    port: int
    prefix: str = ""
    """The path before `/v1`, without a trailing slash."""
    tls: ssl.SSLContext | None = field(default=None, repr=False, eq=False)

    @classmethod
    def of(cls, url: str, ca_file: str = "") -> "Address":
        """Parse a URL; raise UsageError if it cannot be the address of a backend."""
        where = f"--base-url {url}"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(where, f"is not a URL: {error}") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(
                where, "is not the address of a backend; give a URL such as https://host/path"
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError(where, "may contain only a scheme, host, port and path")
        if port == 0:
            raise UsageError(where, "has port 0; give the port of the backend")
        secure = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=port or (443 if secure else 80),
            prefix=parts.path.rstrip("/"),
            tls=_context(ca_file) if secure else None,
        )


NOWHERE: Final = Address(host="", port=0)
"""The placeholder that is used until the control program reports the backend's address."""


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise UsageError(
            f"--ca-file {ca_file}", f"cannot be used: {error.strerror or error}"
        ) from error


@frozen(kw_only=True)
class Target:
    """A backend. Its tokens must never be shown: `hide` removes them from a text."""

    address: Address = NOWHERE
    org: str = "kit-org"
    project: str = "kit-project"
    token: str = field(default="", repr=False)
    other_token: str = field(default="", repr=False)
    """A token of another tenant; empty if there is none."""
    body: Mapping[str, Json] = JOB_BODY
    """The body of a create request."""

    def at(self, url: str) -> "Target":
        """Return a copy with the address in `url`; raise UsageError if it cannot be an address."""
        return evolve(self, address=Address.of(url))

    @property
    def url(self) -> str:
        """The base URL of the backend."""
        return f"{self.scheme}://{self.authority}{self.address.prefix}"

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.address.tls is None else "https"

    @property
    def authority(self) -> str:
        """Host and port, as in a URL."""
        host = self.address.host
        return f"{f'[{host}]' if ':' in host else host}:{self.address.port}"

    @property
    def is_here(self) -> bool:
        """True if the backend is on this machine, where jobs and connections cost nothing."""
        try:
            return ipaddress.ip_address(self.address.host).is_loopback
        except ValueError:
            return self.address.host == "localhost"

    def query(self, org: str | None = None, project: str | None = None) -> str:
        """Return the query string that every request carries."""
        names = {"orgSlug": org or self.org, "projectSlug": project or self.project}
        return urlencode(names, quote_via=quote)

    def jobs(self, rest: str = "", org: str | None = None, project: str | None = None) -> str:
        """Return the request target of `/jobs`, or of a path below it, such as `/job-1/cancel`."""
        return f"{self.address.prefix}/v1/jobs{rest}?{self.query(org, project)}"

    def job(
        self, job: str, rest: str = "", org: str | None = None, project: str | None = None
    ) -> str:
        """Return the request target of a job, or of a path below it."""
        return self.jobs(f"/{as_segment(job)}{rest}", org, project)

    def headers(self, token: str | None) -> list[tuple[str, str]]:
        """Return the headers that every request carries; leave out Authorization if `token` is None."""
        found = [("Host", self.authority), ("X-Arkor-Client", f"{CLIENT_NAME}/1")]
        return found if token is None else [*found, ("Authorization", f"Bearer {token}")]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The tokens to hide, the longer one first because it may contain the other."""
        found = {token for token in (self.token, self.other_token) if len(token) >= TELLING}
        return tuple(sorted(found, key=len, reverse=True))

    def hide(self, text: str) -> str:
        """Return the text with a placeholder instead of each token."""
        return without_secrets(text, self.secrets)
