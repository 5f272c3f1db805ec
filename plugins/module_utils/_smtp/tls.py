# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS as Ruby's net-smtp does it for Mastodon, and the details of a certificate that fails verification."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import datetime
import select
import socket
import ssl

from .._files import gate
from .certificate import CertificateError, read_certificate
from .deadline import Deadline
from .reply import readable
from .settings import VerifyMode
from .trouble import Stopped
from .wire import stopped_by

#: First byte of a TLS record: change_cipher_spec, alert, handshake, application_data (RFC 8446, 5.1).
_RECORD_TYPES = frozenset((20, 21, 22, 23))


@dataclasses.dataclass(frozen=True)
class Trust:
    """How certificates are verified.

    :ivar store: name of the trusted store, for the result; other programs on the host may trust another one.
    """

    context: ssl.SSLContext
    verifies: bool
    store: str


@dataclasses.dataclass
class TlsDetails:
    """The details of a TLS connection. The certificate's fields are None if it could not be read.

    :ivar verified: chain and host name were verified successfully.
    :ivar would_verify: with verification switched off, whether it would succeed; None if not tried.
    :ivar not_after: ISO 8601, UTC.
    """

    version: str | None
    cipher: str | None
    verified: bool
    trust_store: str
    subject: str | None = None
    names: tuple[str, ...] = ()
    issuer: str | None = None
    self_issued: bool = False
    not_before: str | None = None
    not_after: str | None = None
    days_left: int | None = None
    sha256: str | None = None
    would_verify: bool | None = None


def trusting(verify: VerifyMode, ca_file: str) -> Trust:
    """The Trust for the settings.

    Not ssl.create_default_context(), which from Python 3.13 on rejects certificates (VERIFY_X509_STRICT) that Ruby
    accepts. Ruby trusts OpenSSL's default store in addition to the CA file (measured with Ruby 3.1, openssl 3.0.1), and
    fails if the file cannot be loaded, even without verification.

    :raises Stopped: "ca-file".
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The default from Python 3.10 on; for Ruby, Debian's and Red Hat's OpenSSL set it.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if verify == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    default = ssl.get_default_verify_paths()
    context.set_default_verify_paths()
    store = f"this host's OpenSSL default ({default.cafile or default.openssl_cafile}, {default.openssl_capath})"
    if ca_file:
        try:
            # Opened here: OpenSSL itself would wait for the writer of a named pipe, and follow any link.
            with gate.enter(ca_file) as place, open(place.open_file(), "rb") as file:
                context.load_verify_locations(cafile=f"/proc/self/fd/{file.fileno()}")
        except OSError as error:  # ssl.SSLError is one: a file without certificates
            words = "contains no PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror or ""
            raise Stopped("ca-file", words) from None
        store = f"{ca_file} and {store}"
    return Trust(context, verify == "peer", store)


def blind() -> ssl.SSLContext:
    """A context that accepts any certificate, only for reading one. Never send a login through it."""
    return trusting("none", "").context


def handshake(sock: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline) -> ssl.SSLSocket:
    """Begin TLS on a connection. The given socket cannot be used afterwards, whatever happens.

    :raises Stopped: "certificate"; "plaintext" if the other side answers with readable text; "timed-out"; "closed";
        "tls".
    """
    try:
        tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except (OSError, ValueError) as error:
        sock.close()
        raise (stopped_by(error) if isinstance(error, OSError) else Stopped("tls", str(error))) from None
    try:
        _shake(tls, deadline)
    except ssl.SSLCertVerificationError as error:
        tls.close()
        raise Stopped("certificate", error.verify_message, verify_code=error.verify_code) from None
    except OSError as error:
        tls.close()
        if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
            # The text arrived between our peek and OpenSSL's read, which has consumed it.
            raise Stopped("plaintext") from None
        raise stopped_by(error) from None
    except Stopped:
        tls.close()
        raise
    return tls


def _shake(tls: ssl.SSLSocket, deadline: Deadline) -> None:
    tls.settimeout(0)
    first = b""
    while True:
        # The first bytes identify a plaintext port, whatever error OpenSSL raises.
        first = first or _peek(tls)
        if first and first[0] not in _RECORD_TYPES:
            raise Stopped("plaintext", readable(first))
        try:
            tls.do_handshake()
            return
        except ssl.SSLWantReadError:
            if not select.select([tls], [], [], deadline.left())[0]:
                raise Stopped("timed-out") from None
        except ssl.SSLWantWriteError:
            select.select([], [tls], [], deadline.left())


def _peek(tls: ssl.SSLSocket) -> bytes:
    """Peek at the first bytes below TLS without consuming them. SSLSocket's own recv() takes no flags."""
    try:
        return socket.socket.recv(tls, 200, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


def describe(tls: ssl.SSLSocket, trust: Trust, now: datetime.datetime) -> TlsDetails:
    """The details of the connection, including the certificate."""
    cipher = tls.cipher()
    details = TlsDetails(tls.version(), cipher[0] if cipher else None, trust.verifies, trust.store)
    der = tls.getpeercert(binary_form=True)
    try:
        certificate = read_certificate(der or b"")
    except CertificateError:
        return details
    details.subject, details.issuer, details.names = certificate.subject, certificate.issuer, certificate.names
    details.self_issued, details.sha256 = certificate.self_issued, certificate.sha256
    details.not_before, details.not_after = map(_iso, (certificate.not_before, certificate.not_after))
    details.days_left = certificate.days_left(now)
    return details


def _iso(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
