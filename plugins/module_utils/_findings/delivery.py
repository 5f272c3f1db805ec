# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the diagnosis: why a mail did not get as far as the relay's answers, or past the queue.

Shared by the probe, the test message and the queue check. What the relay refuses is in refusals.py.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    # Rails does not get as far as sending.
    Code(
        "rails-does-not-boot",
        "error",
        "Mastodon's Rails application does not start.",
        "Read the error; mail settings are not known to cause it.",
    ),
    Code(
        "ruby-not-found",
        "error",
        "The Ruby that the instance's services use was not found.",
        "Check that the hints about the instance (user, app_dir) are right and that its services run.",
    ),
    Code(
        "email-yml-unreadable",
        "error",
        "A value breaks config/email.yml, so Rails does not start.",
        "Correct the named value. On 4.4.0 upgrade: 4.4.1 and newer quote host, login, password and addresses.",
        "mastodon#35305, fixed by #35314",
    ),
    Code(
        "delivery-method-blank",
        "error",
        "SMTP_DELIVERY_METHOD is set but empty or not a method name, so Rails does not start.",
        "Remove the variable or set it to smtp.",
        "Mastodon 4.4+: config/environments/production.rb",
    ),
    Code(
        "from-address-unreadable",
        "error",
        "SMTP_FROM_ADDRESS is not an address that the mail gem can parse.",
        "Set mastodon_smtp_from_address to a plain address, or put the display name in double quotes.",
        "mastodon#16076, #16672",
    ),
    Code(
        "env-file-refused-by-dotenv",
        "error",
        "The dotenv gem refuses a line of the environment file, so Rails does not start.",
        "Correct the named line.",
        "dotenv: Dotenv::FormatError",
    ),
    Code(
        "env-file-refused-by-compose",
        "error",
        "Docker Compose refuses a line of the environment file, so no container starts.",
        "Correct the named line; the env_file module writes values that Compose and Ruby both read.",
        "compose-go: dotenv/parser.go",
    ),
    # The mailer cannot be built from the settings.
    Code(
        "tls-and-starttls-together",
        "error",
        "Implicit TLS and STARTTLS are both enabled; the mail gem then refuses to send.",
        "Choose one with mastodon_smtp_tls.",
        "mastodon#36639, #36646; mikel/mail 2.9.0",
    ),
    Code(
        "login-missing",
        "error",
        "A login method is set, but the login or the password is missing.",
        "Give mastodon_smtp_login and mastodon_smtp_password, or set mastodon_smtp_auth to none.",
        "net-smtp 0.5; NixOS/nixpkgs#489109",
    ),
    Code(
        "login-method-unknown",
        "error",
        "Ruby does not support the login method.",
        "Set mastodon_smtp_auth to plain, login, cram_md5 or none.",
        "net-smtp: wrong authentication type",
    ),
    Code(
        "verify-mode-unknown",
        "error",
        "SMTP_OPENSSL_VERIFY_MODE is not a valid OpenSSL mode.",
        "Set mastodon_smtp_verify to peer or none.",
        "mail gem: OpenSSL::SSL::VERIFY_*",
    ),
    Code(
        "tls-value-unknown",
        "error",
        "The mail gem does not accept the value of a TLS setting.",
        "Set mastodon_smtp_tls, and look for a patched config/environments/production.rb.",
        "mikel/mail 2.8",
    ),
    Code(
        "credentials-not-ascii",
        "error",
        "The login or the password contains non-ASCII characters, which this login method cannot send.",
        "Use an ASCII login and password. The methods plain and login can send other characters, cram_md5 cannot.",
        "Python smtplib; net-smtp 0.2.1 to 0.5.1: auth_cram_md5.rb",
    ),
    Code(
        "sendmail-refused-by-gem",
        "error",
        "The mail gem of Mastodon 4.1.0 refuses to start sendmail.",
        "Upgrade to Mastodon 4.1.1 or newer, or set mastodon_smtp_delivery_method to smtp.",
        "mail 2.8.0.1: delivery_methods/sendmail.rb",
    ),
    Code(
        "sendmail-missing",
        "error",
        "Mastodon is set to send through sendmail, but the program is not installed.",
        "Set mastodon_smtp_delivery_method to smtp.",
        "mastodon#2670, #11440",
    ),
    # The connection.
    Code(
        "relay-name-unknown",
        "error",
        "The relay's name does not resolve on the host.",
        "Correct mastodon_smtp_host, or the host's DNS.",
        "mastodon#8194",
    ),
    Code(
        "name-resolution-failed",
        "error",
        "The host's DNS did not answer, so the relay's name could not be looked up.",
        "Fix the host's DNS and try again.",
    ),
    Code(
        "relay-connection-refused",
        "error",
        "Nothing listens at the relay's port, or a firewall rejects the connection.",
        "Correct mastodon_smtp_host and mastodon_smtp_port.",
        "mastodon#22484, #2670",
    ),
    Code(
        "relay-unreachable",
        "error",
        "The host has no route to the relay.",
        "Check the host's network, especially its IPv6 routes.",
        "mastodon#8194",
    ),
    Code(
        "relay-connect-timeout",
        "error",
        "Connecting to the relay timed out; most likely the port is blocked on the way.",
        "Use a port that the host's provider does not block; 2525 is often open.",
        "mastodon#13111, #32808",
    ),
    Code(
        "relay-silent",
        "error",
        "The relay accepts the connection but sends nothing.",
        "Ask the relay's operator; check for a proxy on the way.",
    ),
    Code(
        "plaintext-on-tls-port",
        "error",
        "The port expects implicit TLS (from the first byte), but the settings do not use it.",
        "Set mastodon_smtp_tls to implicit, or use the STARTTLS port.",
        "mastodon#23180, #14290",
    ),
    Code(
        "tls-on-plaintext-port",
        "error",
        "The settings use implicit TLS (from the first byte), but the port does not.",
        "Set mastodon_smtp_tls to starttls, or use the relay's port for implicit TLS (usually 465).",
        "mastodon#20310, #22235",
    ),
    Code(
        "relay-hung-up",
        "error",
        "The relay closed the connection without an answer.",
        "Ask the relay's operator whether this host's address is allowed.",
        "mastodon#15103, #934",
    ),
    Code(
        "relay-reset",
        "error",
        "The connection to the relay was interrupted.",
        "Look for a firewall or a proxy on the way.",
    ),
    Code(
        "greeting-refused",
        "error",
        "The relay rejects this host in its greeting.",
        "Have the host's address allow-listed at the relay.",
        "RFC 5321, 3.1",
    ),
    # TLS.
    Code(
        "certificate-untrusted",
        "error",
        "The relay's certificate is signed by a CA that the host does not trust.",
        "Set mastodon_smtp_ca_file to a file that contains the CA's certificate.",
        "mastodon#6823, #10831; OpenSSL X509_V_ERR 2, 18, 19, 20, 21",
    ),
    Code(
        "certificate-expired",
        "error",
        "The relay's certificate has expired.",
        "Have the relay's certificate renewed; check the host's clock.",
        "OpenSSL X509_V_ERR 10",
    ),
    Code(
        "certificate-not-yet-valid",
        "error",
        "The relay's certificate is not valid yet.",
        "Check the host's clock.",
        "OpenSSL X509_V_ERR 9",
    ),
    Code(
        "certificate-wrong-name",
        "error",
        "The relay's certificate is for another name.",
        "Set mastodon_smtp_host to the name in the certificate.",
        "OpenSSL X509_V_ERR 62, 64",
    ),
    Code(
        "certificate-refused",
        "error",
        "The relay's certificate was refused.",
        "See the reason in the message.",
        "OpenSSL X509_V_ERR",
    ),
    Code(
        "tls-versions-differ",
        "error",
        "The relay and the host have no TLS version or parameters in common.",
        "Ask the relay's operator to update its TLS.",
        "OpenSSL",
    ),
    Code(
        "tls-failed",
        "error",
        "The TLS handshake with the relay failed.",
        "See the reason in the message.",
        "OpenSSL",
    ),
    Code(
        "ca-file-missing",
        "error",
        "The CA file does not exist or contains no certificate.",
        "Set mastodon_smtp_ca_file to a file that exists on the host.",
        "mastodon#10857: the default path is Debian's",
    ),
    Code(
        "starttls-not-offered",
        "error",
        "STARTTLS is required, but the relay does not offer it here.",
        "Match mastodon_smtp_tls to mastodon_smtp_port.",
        "RFC 3207; net-smtp: Net::SMTPUnsupportedCommand",
    ),
    Code(
        "starttls-refused",
        "error",
        "The relay offers STARTTLS, then refuses it.",
        "Ask the relay's operator; try its port for implicit TLS (usually 465).",
        "RFC 3207, 4",
    ),
    Code(
        "delivery-failed",
        "error",
        "Sending failed for a reason that the collection does not know.",
        "Read the error and the relay's log.",
    ),
    # The queue.
    Code(
        "job-not-picked-up",
        "error",
        "The mail waits in the queue, and no process picks it up.",
        "Check that a Sidekiq process serves the mailers queue.",
        "mastodon#20366; config/sidekiq.yml",
    ),
    Code(
        "redis-unreachable",
        "error",
        "Redis, which stores the queue, does not answer.",
        "Start Redis; check REDIS_HOST, REDIS_PORT and REDIS_PASSWORD.",
    ),
)
