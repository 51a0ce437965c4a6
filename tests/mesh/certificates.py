"""A certificate authority of the test's own, and certificates that can be rotated."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TRUST_DOMAIN = "spiffe://mesh.local"
EGRESS_HOST = "egress.mesh.local"


class Authority:
    """Its directory holds `ca.crt`, and `current`, a link to the certificates of each party."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("mesh test authority")
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        (directory / "ca.crt").write_bytes(_pem(self._certificate))
        self.generation = 0
        self.rotate()

    def rotate(self):
        """New keys and certificates for all, in one step, as Kubernetes replaces a volume."""
        self.generation += 1
        fresh = self.directory / f"generation-{self.generation}"
        fresh.mkdir()
        self._issue(fresh, "edge", uri=f"{TRUST_DOMAIN}/edge")
        self._issue(fresh, "egress", uri=f"{TRUST_DOMAIN}/egress", dns=[EGRESS_HOST])
        self._issue(fresh, "provider", dns=["openai.test"], address="127.0.0.1")
        link = self.directory / "next"
        link.symlink_to(fresh.name)
        os.replace(link, self.directory / "current")

    def _issue(self, directory, party, uri=None, dns=(), address=None):
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.UniformResourceIdentifier(uri)] if uri else []
        names += [x509.DNSName(name) for name in dns]
        names += [x509.IPAddress(ipaddress.ip_address(address))] if address else []
        builder = self._builder(_name(f"{party} {self.generation}"), key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        certificate = builder.sign(self._key, hashes.SHA256())
        (directory / f"{party}.crt").write_bytes(_pem(certificate))
        (directory / f"{party}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _builder(self, subject, public_key):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
        )


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)
