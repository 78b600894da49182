"""The TLS contexts of a server, good and faulty, for the duration of a `with`."""

import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from mock_server.scenario.words.connection import TlsFault


class TlsUnavailable(RuntimeError):
    """Certificates cannot be made because `trustme` is not installed."""


@frozen
class TlsSettings:
    """The contexts of a server: a good one, and one for each fault that needs its own."""

    good: ssl.SSLContext
    faulty: Mapping[TlsFault, ssl.SSLContext]
    ca_path: Path
    """The authority's certificate as PEM, for clients to trust."""
    client_path: Path
    """A key and a certificate as PEM, for clients that must present one."""

    def context(self, fault: TlsFault | None) -> ssl.SSLContext:
        """Return the context for a connection with this fault."""
        return self.good if fault is None else self.faulty.get(fault, self.good)

    def client_context(self, *, with_certificate: bool = False) -> ssl.SSLContext:
        """Return a context that trusts the authority, for a client in this process."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        if with_certificate:
            context.load_cert_chain(self.client_path)
        return context


@contextmanager
def throw_away_tls(*names: str) -> Generator[TlsSettings, None, None]:
    """Create a certificate authority for the duration of a `with`; raises TlsUnavailable."""
    try:
        from mock_server.net.tls import certificates  # noqa: PLC0415 - only TLS needs trustme
    except ImportError:
        raise TlsUnavailable(
            "TLS: trustme is not installed; pip install 'arkor-proto[mock]'"
        ) from None
    hosts = names or ("127.0.0.1", "localhost", "::1")
    with TemporaryDirectory(prefix="arkor-mock-") as directory:
        yield certificates.make(hosts, Path(directory))
