"""The TLS contexts of a server, good and faulty."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from mock_server.scenario.words.connection import TlsFault


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
