"""Certificates that sign themselves: of an authority that signs nothing else, and of servers."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_authority(path: Path) -> None:
    """Write the certificate of an authority of its own to ``path``, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = sign_own(key, "Authority of the tests", x509.BasicConstraints(ca=True, path_length=0), critical=True)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def sign_own(
    key: ec.EllipticCurvePrivateKey, common_name: str, extension: x509.ExtensionType, *, critical: bool
) -> x509.Certificate:
    """Return a certificate of yesterday to tomorrow that its own key has signed."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(extension, critical=critical)
        .sign(key, hashes.SHA256())
    )
