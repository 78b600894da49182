# ruff: noqa: RUF009 - Fault declares an attribute, as attrs.field() does
"""Faults of a request: how fast it is read, and whether it or its response is lost."""

from attrs import frozen

from mock_server.scenario.vocabulary import Capability
from mock_server.scenario.words.declaring import Fault, Phrased, phrased
from mock_server.strict.shapes import choice, count_of, integer


class Lost(Phrased):
    """Which message of an exchange is lost."""

    REQUEST = "request", "loses the request before it reaches the backend"
    RESPONSE = "response", "lets the backend act on the request, then loses the response"


@frozen(kw_only=True)
class RequestFault:
    """What happens to a request."""

    lose: Lost | None = Fault(
        choice(Lost),
        "what is lost: the request (before it reaches the backend) or its response",
        needs=Capability.RAW,
        example='on = {route = "create", attempt = 1}\nlose = "response"',
        phrase=phrased,
        one_of=("frames of a response that is lost",),
        leaves_no_place="a lost response has no head, so {} cannot be combined with it",
    ).optional()
    slow_read: int | None = Fault(
        integer(1, 1 << 30),
        "how many bytes of the request's body are read per second",
        needs=Capability.RAW,
        example='on = {route = "create"}\nslow_read = 1000',
        phrase=lambda rate, _: f"reads the request's body at {count_of(rate, 'byte')} per second",
    ).optional()
