# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""Settings in `[backend]`: comments on streams, and how requests and connections are treated.

The defaults make the backend behave like a good server. Durations are in seconds here, and in
milliseconds (`_ms`) in a scenario file.
"""

from attrs import frozen

from mock_server.scenario.vocabulary import Capability
from mock_server.scenario.words.declaring import Phrased
from mock_server.strict.shapes import choice, flag
from mock_server.strict.values import milliseconds
from mock_server.strict.words import word


class Targets(Phrased):
    """Which request targets are accepted."""

    ANY = "any", "accepts paths and URLs as request targets"
    ORIGIN = "origin", "responds with 400 to a request whose target is a URL"


class Paths(Phrased):
    """How the job's id is read from a path."""

    DECODED = "decoded", "decodes the job's id in a path"
    RAW = "raw", "takes the job's id from a path without decoding it"
    EARLY = "early", "decodes the whole path before looking up the route, so %2F counts as a slash"


class Expect(Phrased):
    """How the backend answers `Expect: 100-continue`."""

    HONOURED = "honoured", "responds with 100 to Expect: 100-continue"
    IGNORED = "ignored", "ignores Expect: 100-continue and waits for the body"


class HalfClose(Phrased):
    """What happens to a client that closes its sending half after a request."""

    ANSWERED = "answered", "still responds to a client that has closed its sending half"
    DROPPED = "dropped", "closes the connection when the client closes its sending half"


@frozen(kw_only=True)
class ServingPlan:
    """When streams carry comments, and how the backend treats requests and connections."""

    keep_alive: float = word(
        milliseconds(),
        "how long a job's stream may be silent before the backend sends a comment; 0 means that it "
        "never does",
        default=0.0,
        name="keep_alive_ms",
        needs=Capability.BACKEND,
    )
    first_comment: bool = word(
        flag(),
        "whether a job's stream begins with a comment, sent right after the response head",
        default=False,
        needs=Capability.BACKEND,
    )
    targets: Targets = word(
        choice(Targets),
        "whether a request target may be a URL, as in a request to a proxy",
        default=Targets.ANY,
        needs=Capability.LISTENER,
    )
    paths: Paths = word(
        choice(Paths),
        "how the job's id is read from a path: `decoded` decodes the percent-encoding in the id "
        "(`%6A` becomes `j`); `raw` decodes nothing; `early` decodes the whole path before it is "
        "split at slashes, so that `%2F` counts as a slash",
        default=Paths.DECODED,
        needs=Capability.BACKEND,
    )
    expect: Expect = word(
        choice(Expect),
        "whether a request with `Expect: 100-continue` gets a 100 response",
        default=Expect.HONOURED,
        needs=Capability.LISTENER,
    )
    half_close: HalfClose = word(
        choice(HalfClose),
        "whether the backend still responds to a client that has closed its sending half after a "
        "request; such a response ends at the first point where the backend has to wait, for "
        "example for the next event",
        default=HalfClose.ANSWERED,
        needs=Capability.LISTENER,
    )
    leak: bool = word(
        flag(),
        "whether a connection that the client drops during a stream keeps counting towards "
        "`limits.connections` forever",
        default=False,
        needs=Capability.LISTENER,
    )
