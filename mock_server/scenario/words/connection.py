# ruff: noqa: RUF009 - Fault declares an attribute, as attrs.field() does
"""Faults of a connection itself, as opposed to those of a request on it."""

from attrs import frozen

from mock_server.scenario.vocabulary import Capability
from mock_server.scenario.words.declaring import Fault, Phrased, phrased
from mock_server.strict.shapes import choice


class Accepting(Phrased):
    """What the server does with a connection instead of serving it."""

    RST = "rst", "resets the connection as soon as it is accepted"
    FIN = "fin", "closes the connection as soon as it is accepted"
    HANG = "hang", "accepts the connection and sends nothing"
    GARBAGE = "garbage", "answers the connection with bytes that are not HTTP"


class TlsFault(Phrased):
    """What goes wrong at the TLS level."""

    HANG = "hang", "never answers the TLS handshake"
    GARBAGE = "garbage", "answers the TLS handshake with bytes that are not TLS"
    NO_CLOSE_NOTIFY = "no_close_notify", "ends the TLS connection without a close_notify"
    BAD_CERTIFICATE = "bad_certificate", "presents a certificate from an unknown authority"
    NO_AUTHORITY_KEY_ID = (
        "no_authority_key_id",
        "presents a certificate that strict clients refuse: it has no Authority Key Identifier",
    )
    CLIENT_CERTIFICATE = (
        "client_certificate",
        "demands a client certificate from the authority that issued the server's",
    )
    NO_SHARED_CIPHER = (
        "no_shared_cipher",
        "supports only TLS 1.2, with none of the ciphers that the client offers",
    )


@frozen(kw_only=True)
class ConnectionFault:
    """What happens to a connection. A rule with such a fault cannot have faults of other kinds."""

    accept: Accepting | None = Fault(
        choice(Accepting),
        "what happens to a connection after it is accepted: it is reset, closed, left hanging or "
        "answered with garbage",
        needs=Capability.LISTENER,
        example='on = {connection = 1}\naccept = "rst"',
        phrase=phrased,
    ).optional()
    tls: TlsFault | None = Fault(
        choice(TlsFault),
        "what goes wrong at the TLS level; for `client_certificate`, a client certificate that the "
        "server accepts is in `client.pem`, next to the authority's certificate",
        needs=Capability.TLS_RAW,
        example='on = {connection = 1}\ntls = "bad_certificate"',
        phrase=phrased,
    ).optional()
