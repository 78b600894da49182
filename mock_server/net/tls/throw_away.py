"""A temporary certificate authority, and a server's TLS contexts, for use in a `with` statement."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mock_server.net.tls.settings import TlsSettings


class TlsUnavailable(RuntimeError):
    """Certificates cannot be created because `trustme` is not installed."""


@contextmanager
def throw_away_tls(*names: str) -> Generator[TlsSettings, None, None]:
    """Create a certificate authority for a `with` statement, or raise TlsUnavailable."""
    try:
        from mock_server.net.tls import certificates  # noqa: PLC0415 - only TLS needs trustme
    except ImportError:
        raise TlsUnavailable(
            "TLS: trustme is not installed; pip install 'arkor-proto[mock]'"
        ) from None
    hosts = names or ("127.0.0.1", "localhost", "::1")
    with TemporaryDirectory(prefix="arkor-mock-") as directory:
        yield certificates.make(hosts, Path(directory))
