# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows for failures of the connection: name, route, port, banner, TLS, certificate."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Context
from .row import Row, Sign, implicit_port, loopback, plain_mode_known, wants_implicit

#: Names of a timeout in Ruby, the system and the probe.
TIMEOUTS = ("Net::OpenTimeout", "Net::ReadTimeout", "Timeout::Error", "Errno::ETIMEDOUT", "timed-out")
#: Names of a connection closed by the other side, as an unencrypted client sees it.
HANG_UPS = ("EOFError", "closed")
RESETS = ("Errno::ECONNRESET", "Errno::EPIPE", "Errno::ECONNABORTED")
SSL_ERRORS = ("OpenSSL::SSL::SSLError", "certificate", "tls")

_CLOUD_PORTS = "Cloud providers block 25, many 465 and some 587; try {option[port]} 2525 if the relay offers it."


def _plain_on_tls_port(context: Context) -> bool:
    """Whether a client may wait for a banner on a port that expects TLS; also true if neither is known."""
    return not wants_implicit(context) and (implicit_port(context) or context.port is None)


def _tls_on_plain_port(context: Context) -> bool:
    return wants_implicit(context) and context.port is not None and not implicit_port(context)


NETWORK: tuple[Row, ...] = (
    Row(
        "name-resolution-failed",
        "This host's DNS did not answer for {host} ({said}).",
        "Fix name resolution where Sidekiq runs (in its container, if it has one), then try again.",
        Sign(classes=("name-unanswered",)),
        Sign(
            classes=("SocketError", "Socket::ResolutionError"),
            text=r"temporary failure in name resolution|errno -3\b|EAI_AGAIN",
        ),
    ),
    Row(
        "relay-name-unknown",
        "The name {host} does not resolve on this host ({said}).",
        "Check {option[host]} for a typo; in a container, check that its DNS works.",
        Sign(classes=("SocketError", "Socket::ResolutionError", "name-unknown")),
    ),
    Row(
        "relay-connection-refused",
        "Nothing listens at {endpoint} ({said}). Inside a container, localhost is the container itself.",
        "Start the mail server on this host, or set {option[host]} to the relay's host name.",
        Sign(
            classes=("Errno::ECONNREFUSED", "refused"),
            when=loopback,
            source="mastodon#2670, #11440, #22484",
        ),
        Sign(
            classes=("Errno::EADDRNOTAVAIL",),
            when=loopback,
            source="a host without IPv6: the last of localhost's addresses that Ruby tried was ::1",
        ),
    ),
    Row(
        "relay-connection-refused",
        "Nothing listens at {endpoint}, or a firewall rejects it ({said}).",
        "Check {option[host]} and {option[port]}: usually 587 (STARTTLS) or 465 (implicit TLS).",
        Sign(classes=("Errno::ECONNREFUSED", "refused")),
    ),
    Row(
        "relay-unreachable",
        "This host has no route to {endpoint} ({said}).",
        "Check the network where Sidekiq runs: IPv6 without a route, a container network marked internal, a unit "
        "with restricted address families.",
        Sign(
            classes=(
                "Errno::EHOSTUNREACH",
                "Errno::ENETUNREACH",
                "Errno::EADDRNOTAVAIL",
                "Errno::EAFNOSUPPORT",
                "Errno::ENETDOWN",
            )
        ),
    ),
    Row(
        "relay-connect-timeout",
        "{endpoint} does not answer connection attempts ({said}): most likely the port is blocked on the way.",
        _CLOUD_PORTS,
        Sign(
            stages=("connect",),
            classes=TIMEOUTS,
            source="mastodon#13111, #32808; provider documentation on blocked ports",
        ),
        Sign(
            stages=("queue",),
            classes=("Net::OpenTimeout", "Errno::ETIMEDOUT"),
            source="mastodon#13111; a reader that does not know the stage",
        ),
    ),
    Row(
        "plaintext-on-tls-port",
        "{endpoint} accepts the connection but sends no greeting ({said}): the port expects implicit TLS, which the "
        "settings do not use.",
        "Set {option[tls]} to implicit for this port, or {option[port]} to 587 with {option[tls]} starttls.",
        Sign(stages=("banner", "queue"), classes=("Net::ReadTimeout", "timed-out"), when=_plain_on_tls_port),
    ),
    Row(
        "plaintext-on-tls-port",
        "{endpoint} closes the connection instead of greeting ({said}): it expects implicit TLS (from the first byte).",
        "Set {option[tls]} to implicit for this port, or {option[port]} to 587 with {option[tls]} starttls.",
        Sign(
            stages=("banner", "queue"),
            classes=HANG_UPS,
            when=lambda context: plain_mode_known(context) and implicit_port(context),
            source="mastodon#14290",
        ),
    ),
    Row(
        "relay-busy",
        "{endpoint} greets with a temporary rejection: {said}.",
        "Try again later, with fewer hosts at once (mastodon_smtp_batches).",
        Sign(stages=("banner",), status=r"4\d\d", source="RFC 5321, 3.1 and 4.2.1"),
    ),
    Row(
        "greeting-refused",
        "{endpoint} rejects this host in its greeting: {said}.",
        "Have this host's address (IPv4 and IPv6) allow-listed at the relay, or check its reputation.",
        Sign(stages=("banner",), status=r"5\d\d"),
    ),
    Row(
        "tls-on-plaintext-port",
        "{endpoint} starts in plain text, but the settings use implicit TLS ({said}).",
        "Set {option[tls]} to starttls for this port, or {option[port]} to 465 with {option[tls]} implicit.",
        Sign(text=r"wrong.version.number|unknown protocol|WRONG_VERSION_NUMBER|packet length too long"),
    ),
    Row(
        "tls-on-plaintext-port",
        "The TLS handshake with {endpoint} gets no answer ({said}): most likely the port starts in plain text.",
        "Set {option[tls]} to starttls for this port, or {option[port]} to 465 with {option[tls]} implicit.",
        Sign(
            stages=("tls",),
            classes=TIMEOUTS,
            when=_tls_on_plain_port,
            source="local run: a banner that comes late turns the error into a time-out",
        ),
    ),
    Row(
        "starttls-not-offered",
        "STARTTLS is required, but {endpoint} does not offer it ({said}).",
        "Match {option[tls]} to the port: implicit for 465, starttls for 587; none only for a relay on "
        "the host itself.",
        Sign(text=r"STARTTLS (is|extension) not supported|STARTTLS not (offered|supported)"),
    ),
    Row(
        "starttls-refused",
        "{endpoint} offers STARTTLS but rejects it temporarily: {said}. This is a fault of the relay.",
        "Tell the relay's operator; try again later, or {option[port]} 465 with {option[tls]} implicit.",
        Sign(stages=("starttls",), status=r"4\d\d", source="RFC 3207, 4: 454"),
    ),
    Row(
        "starttls-refused",
        "{endpoint} offers STARTTLS, then rejects it: {said}.",
        "",
        Sign(stages=("starttls",), status=r"5\d\d"),
    ),
    Row(
        "ca-file-missing",
        "The CA file cannot be used ({said}).",
        "Set {option[ca_file]} to a file that exists: /etc/ssl/certs/ca-certificates.crt on Debian, "
        "/etc/pki/tls/certs/ca-bundle.crt on Red Hat, /etc/ssl/cert.pem on Alpine.",
        Sign(
            text=r"(error|fail)\w{0,9} (in )?loading CA|loading CA file|load_verify|verify locations"
            r"|NO_CERTIFICATE_OR_CRL_FOUND"
            r"|no certificate or crl found"
        ),
    ),
    Row(
        "ca-file-missing",
        "The CA file does not exist on this host ({said}).",
        "Set {option[ca_file]} to a file that exists: /etc/ssl/certs/ca-certificates.crt on Debian, "
        "/etc/pki/tls/certs/ca-bundle.crt on Red Hat, /etc/ssl/cert.pem on Alpine.",
        Sign(
            stages=("build", "connect", "tls", "starttls"),
            classes=("Errno::ENOENT", "Errno::EACCES"),
        ),
        Sign(
            stages=("queue",),
            classes=("Errno::ENOENT", "Errno::EACCES"),
            text=r"\.(crt|pem|cer)\b|/certs?/|/ssl/",
            source="as Sidekiq logs it, which does not tell the stage",
        ),
    ),
    Row(
        "certificate-wrong-name",
        "The certificate of {endpoint} is not for the name {host} ({said}).",
        "Set {option[host]} to a name in the certificate (not an address, an alias or a container's name).",
        Sign(classes=SSL_ERRORS, verify_codes=(62, 64)),
        Sign(
            text=r"hostname mismatch|does not match the server certificate|IP address mismatch"
            r"|hostname .{1,300} (does not|doesn't) match",
            source="Ruby's openssl, old and new wording",
        ),
    ),
    Row(
        "certificate-expired",
        "The certificate of {endpoint} has expired ({said}).",
        "Check this host's clock first, then ask the relay's operator to renew it.",
        Sign(classes=SSL_ERRORS, verify_codes=(10,)),
        Sign(text=r"certificate has expired", source="Ruby's openssl gives the reason as text only"),
    ),
    Row(
        "certificate-not-yet-valid",
        "The certificate of {endpoint} is not valid yet ({said}).",
        "Check this host's clock, then the relay's certificate.",
        Sign(classes=SSL_ERRORS, verify_codes=(9,)),
        Sign(text=r"certificate is not yet valid", source="Ruby's openssl gives the reason as text only"),
    ),
    Row(
        "certificate-untrusted",
        "The certificate of {endpoint} is signed by a CA that this host does not trust ({said}).",
        "Put the CA's certificate on the host and set {option[ca_file]} to the file; check that the file exists. Do "
        "not disable verification for a relay that is not on the host itself.",
        Sign(classes=SSL_ERRORS, verify_codes=(2, 18, 19, 20, 21)),
        Sign(
            text=r"unable to get (local )?issuer|self[- ]signed certificate|unable to verify the first certificate",
            source="Ruby's openssl gives the reason as text only",
        ),
    ),
    Row(
        "certificate-refused",
        "The certificate of {endpoint} was rejected ({said}).",
        "Ask the relay's operator to fix its certificate (reason in brackets).",
        Sign(text=r"certificate[ _]verify[ _]failed"),
    ),
    Row(
        "tls-versions-differ",
        "{endpoint} and this host cannot agree on a TLS version or its parameters ({said}).",
        "Ask the relay's operator to update its TLS (1.2 or newer, keys of 2048 bits).",
        Sign(
            classes=SSL_ERRORS,
            text=r"unsupported.protocol|protocol.version|dh.key.too.small|ee.key.too.small|md.too.weak"
            r"|no.protocols.available"
            r"|handshake.failure|no.shared.cipher|wrong.signature.type|no.suitable.signature|wrong.ssl.version",
        ),
    ),
    Row(
        "relay-hung-up",
        "{endpoint} closes the connection during the TLS handshake ({said}).",
        "Check {option[tls]} against the port; otherwise a firewall or a proxy on the way blocks TLS.",
        Sign(
            stages=("tls", "starttls"),
            classes=(*HANG_UPS, *SSL_ERRORS),
            text=r"unexpected.eof|SYSCALL returned=5|connection unexpectedly closed|end of file|EOF occurred",
        ),
        Sign(
            stages=("queue",),
            classes=SSL_ERRORS,
            text=r"unexpected.eof|SYSCALL returned=5",
            source="as Sidekiq logs it, which does not tell the stage",
        ),
    ),
    Row(
        "tls-failed",
        "The TLS handshake with {endpoint} failed ({said}).",
        "",
        Sign(classes=SSL_ERRORS),
    ),
    Row(
        "relay-silent",
        "{endpoint} accepts the connection but sends nothing ({said}).",
        "If this port speaks implicit TLS, set {option[tls]} to implicit; otherwise ask the relay's operator.",
        Sign(stages=("banner", "tls"), classes=TIMEOUTS),
    ),
    Row(
        "relay-silent",
        "{endpoint} took longer to answer than Mastodon waits ({said}); it may have accepted the message anyway.",
        "Check the relay's log. A relay that is slow at this point makes Mastodon send twice.",
        Sign(stages=("data",), classes=TIMEOUTS, source="mastodon#23727, #23750"),
    ),
    Row(
        "relay-silent",
        "{endpoint} stopped answering in the middle of the dialogue ({said}).",
        "Ask the relay's operator; check for a proxy or a mail filter on the way.",
        Sign(classes=TIMEOUTS),
    ),
    Row(
        "relay-hung-up",
        "{endpoint} closes the connection at the login without an answer ({said}).",
        "Check {option[login]} and {option[password]}; some relays disconnect after one or several wrong passwords.",
        Sign(stages=("auth",), classes=HANG_UPS),
        hinted=True,
    ),
    Row(
        "relay-hung-up",
        "{endpoint} closes the connection without an answer ({said}).",
        "Have this host's addresses (IPv4 and IPv6) allow-listed at the relay; check for a proxy on the SMTP port, "
        "and {option[tls]} against the port.",
        Sign(classes=HANG_UPS),
    ),
    Row(
        "relay-reset",
        "The connection to {endpoint} was interrupted ({said}).",
        "Look for a firewall or a proxy on the way, and check {option[tls]} against the port.",
        Sign(classes=RESETS),
    ),
)
