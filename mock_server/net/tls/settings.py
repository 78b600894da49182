"""A server's TLS contexts, both good and faulty."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from mock_server.scenario.words.connection import TlsFault


@frozen
class TlsSettings:
    """A server's TLS contexts: a good one, and one for each fault that needs its own."""

    good: ssl.SSLContext
    faulty: Mapping[TlsFault, ssl.SSLContext]
    ca_path: Path
    """The PEM file with the authority's certificate, for clients to trust."""
    client_path: Path
    """The PEM file with a key and a certificate, for clients that must present a certificate."""

    def context(self, fault: TlsFault | None) -> ssl.SSLContext:
        """Return the context for a connection with this fault; None stands for no fault."""
        return self.good if fault is None else self.faulty.get(fault, self.good)

    def client_context(self, *, with_certificate: bool = False) -> ssl.SSLContext:
        """Return a context that trusts the authority, for a client in this process."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        if with_certificate:
            context.load_cert_chain(self.client_path)
        return context
