"""Certificates for tests, made on the spot: an authority and what it issues."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
LONG = timedelta(days=36500)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority with a folder to write PEM files into."""

    def __init__(self, folder, name="test authority"):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(
            name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=0)
        )
        self.file = self._write(f"{name}.pem", self._pem(self.certificate))

    def _signed(self, name, public_key, constraints, *, since=None, until=None):
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since or BEGIN)
            .not_valid_after(until or BEGIN + LONG)
            .add_extension(constraints, critical=True)
        )
        if not constraints.ca:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, name, **dates):
        """Return the PEM file of a certificate for ``name``, with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        plain = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._signed(name, key.public_key(), plain, **dates)
        text = self._pem(certificate) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self._write(f"{self.name}-{name}.pem", text), certificate

    def revoke(self, certificate):
        """Return the file of a revocation list with this certificate on it."""
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(BEGIN)
            .build()
        )
        listed = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(_name(self.name))
            .last_update(BEGIN)
            .next_update(BEGIN + LONG)
            .add_revoked_certificate(entry)
            .sign(self.key, hashes.SHA256())
        )
        return self._write("crl.pem", listed.public_bytes(serialization.Encoding.PEM))

    def _pem(self, certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name, text):
        path = self.folder / name.replace(" ", "-")
        path.write_bytes(text)
        return str(path)
