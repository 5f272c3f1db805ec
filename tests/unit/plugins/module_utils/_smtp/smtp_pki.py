# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real certificates, made by openssl when the tests begin: good ones and one for each way of being bad."""

from __future__ import annotations

import dataclasses
import ssl
import subprocess
import warnings
from pathlib import Path

_CONFIG = """
[ca]
default_ca = authority
[authority]
dir = {folder}
database = $dir/index
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = anything
copy_extensions = copy
unique_subject = no
[anything]
commonName = optional
organizationName = optional
organizationalUnitName = optional
countryName = optional
stateOrProvinceName = optional
localityName = optional
emailAddress = optional
[req]
distinguished_name = empty
string_mask = utf8only
utf8 = yes
[empty]
"""

LOCAL = "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1"
#: name -> (subject, subjectAltName, start, end); what is not said is good.
LEAVES: dict[str, tuple[str, str, str, str]] = {
    "good": ("/CN=localhost", LOCAL, "20200101000000Z", "20491231235959Z"),
    "expired": ("/CN=localhost", LOCAL, "20200101000000Z", "20210101000000Z"),
    "not-yet-valid": ("/CN=localhost", LOCAL, "20480101000000Z", "20491231235959Z"),
    "wrong-name": (
        "/CN=mail.elsewhere.test",
        "DNS:mail.elsewhere.test,DNS:*.elsewhere.test",
        "20200101000000Z",
        "20491231235959Z",
    ),
    "common-name-only": ("/CN=localhost", "", "20200101000000Z", "20491231235959Z"),
    "rich": (
        "/C=DE/O=Bücher, Söhne/OU=Post/CN=smtp.xn--bcher-kva.example",
        "DNS:smtp.xn--bcher-kva.example,DNS:*.example.org,IP:192.0.2.7,IP:2001:db8::7,email:post@example.org",
        "20200101000000Z",
        "20600229120000Z",
    ),
}


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@dataclasses.dataclass(frozen=True)
class Pki:
    """Where the files lie; a server context for each certificate."""

    folder: Path

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca" / "ca.pem")

    def pem(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def der(self, name: str) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.pem(name).read_text())

    def server(self, name: str = "good") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem(name), self.folder / "leaf.key")
        return context

    def old_server(self) -> ssl.SSLContext:
        """One that speaks nothing newer than TLS 1.1."""
        context = self.server()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    def issue(self, name: str, subject: str, names: str, start: str, end: str, authority: str = "ca") -> None:
        request = [
            "req",
            "-new",
            "-utf8",
            "-key",
            "leaf.key",
            "-subj",
            subject,
            "-out",
            f"{name}.csr",
            "-config",
            "config",
        ]
        if names:
            request += ["-addext", f"subjectAltName={names}"]
        _openssl(self.folder, *request)
        _openssl(
            self.folder,
            *("ca", "-batch", "-notext", "-config", f"{authority}/config", "-in", f"{name}.csr", "-out", f"{name}.pem"),
            *("-cert", f"{authority}/ca.pem", "-keyfile", f"{authority}/ca.key", "-preserveDN"),
            *("-startdate", start, "-enddate", end),
        )  # fmt: skip


def make_pki(folder: Path) -> Pki:
    """All of it, in about a second."""
    pki = Pki(folder)
    (folder / "config").write_text(_CONFIG.format(folder=folder))
    for authority in ("ca", "unknown"):
        place = folder / authority
        place.mkdir()
        (place / "index").touch()
        (place / "config").write_text(_CONFIG.format(folder=place))
        # Without an authority key identifier: Ruby takes such a chain, Python 3.13's default context does not.
        _openssl(
            folder,
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "config"),
            *("-keyout", f"{authority}/ca.key", "-out", f"{authority}/ca.pem", "-subj", f"/CN=Test CA {authority}"),
            *("-days", "7300", "-addext", "basicConstraints=critical,CA:TRUE"),
        )  # fmt: skip
    _openssl(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "leaf.key")
    for name, (subject, names, start, end) in LEAVES.items():
        pki.issue(name, subject, names, start, end)
    pki.issue("unknown-authority", *LEAVES["good"], authority="unknown")
    _openssl(
        folder,
        *("req", "-x509", "-key", "leaf.key", "-subj", "/CN=localhost", "-addext", f"subjectAltName={LOCAL}"),
        *("-days", "3650", "-out", "self-signed.pem", "-config", "config"),
    )  # fmt: skip
    return pki
