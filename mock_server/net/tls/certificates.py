"""Certificates for a correct server, a client and faulty servers, from throw-away authorities."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from mock_server.net.tls.settings import TlsSettings
from mock_server.scenario.words.connection import TlsFault

# This needs an RSA key, but the certificates have elliptic-curve keys, so no client can negotiate it.
_FOR_OTHER_KEYS: Final = "ECDHE-RSA-AES128-GCM-SHA256"


def make(hosts: Sequence[str], directory: Path) -> TlsSettings:
    """Create an authority and issue certificates from it; write the files to `directory`."""
    authority, stranger = trustme.CA(), trustme.CA()
    ca_path, client_path = directory / "ca.pem", directory / "client.pem"
    authority.cert_pem.write_to_path(str(ca_path))
    client = authority.issue_cert("client@arkor-mock.invalid")
    client.private_key_and_cert_chain_pem.write_to_path(str(client_path))
    server = authority.issue_cert(*hosts)
    demanding = _context_of(server)
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(ca_path)
    strange = _context_of(server)
    strange.maximum_version = ssl.TLSVersion.TLSv1_2
    strange.set_ciphers(_FOR_OTHER_KEYS)
    faulty = {
        TlsFault.BAD_CERTIFICATE: _context_of(stranger.issue_cert(*hosts)),
        TlsFault.NO_AUTHORITY_KEY_ID: _without_key_id(authority, server, directory),
        TlsFault.CLIENT_CERTIFICATE: demanding,
        TlsFault.NO_SHARED_CIPHER: strange,
    }
    return TlsSettings(_context_of(server), faulty, ca_path, client_path)


def _context_of(issued: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


def _without_key_id(
    authority: trustme.CA, server: trustme.LeafCert, directory: Path
) -> ssl.SSLContext:
    """Sign the server's certificate without an Authority Key Identifier; return its context.

    RFC 5280, 4.2.1.1, requires this extension.
    """
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("trustme created an authority whose key is not an elliptic-curve key")
    found = x509.load_pem_x509_certificate(server.cert_chain_pems[0].bytes())
    builder = x509.CertificateBuilder(
        found.issuer,
        found.subject,
        found.public_key(),
        x509.random_serial_number(),
        found.not_valid_before_utc,
        found.not_valid_after_utc,
    )
    for each in found.extensions:
        if not isinstance(each.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(each.value, critical=each.critical)
    path = directory / "without_key_id.pem"
    signed = builder.sign(key, SHA256())
    path.write_bytes(server.private_key_pem.bytes() + signed.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
