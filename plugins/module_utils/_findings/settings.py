# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the settings: what the operator asks for, checked against itself and the release."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    # The names.
    Code(
        "setting-unknown",
        "error",
        "A variable begins with mastodon_smtp_, but the collection does not use it.",
        "Correct the name. For a variable of your own, use another prefix, or accept this code with "
        "mastodon_smtp_accept.",
    ),
    Code(
        "accept-unknown",
        "error",
        "mastodon_smtp_accept has a code that no finding has, so nothing is accepted by it.",
        "Correct the code, or remove it. It is in brackets at the end of each finding, and docs/findings.md lists all.",
    ),
    Code(
        "setting-from-facts",
        "error",
        "A variable of the collection, or one that its paths are built from, is set by a host fact.",
        "Set it in the inventory, with -e, or with set_fact without cacheable (that is not a host fact). Remove it "
        "from the facts: --flush-cache empties the fact cache; anything left comes from the host itself.",
        "ansible-core: ansible/vars/manager.py, VariableManager.get_vars",
    ),
    Code(
        "setting-type",
        "error",
        "A variable has a value of the wrong type, or one that is not an allowed choice.",
        "Correct it in the inventory or on the command line (-e).",
    ),
    Code(
        "setting-unworkable",
        "error",
        "A variable refers to an undefined variable, or cannot be decrypted.",
        "Correct it in the inventory or on the command line (-e).",
    ),
    # The relay.
    Code(
        "host-missing",
        "error",
        "No relay is set.",
        "Set mastodon_smtp_host, or mastodon_smtp_provider for a provider that the collection knows.",
    ),
    Code(
        "host-invalid",
        "error",
        "The relay's name is not a host name or IP address.",
        "Write the bare host name as the provider gives it, without https://, port or spaces.",
    ),
    Code("port-invalid", "error", "The port is not between 1 and 65535.", "Usual ports are 587 and 465."),
    Code(
        "port-contradicts-tls",
        "error",
        "The port and the TLS mode do not match: the connection would hang or fail.",
        "587 and 2525 go with mastodon_smtp_tls: starttls, 465 with implicit (TLS from the first byte).",
        "RFC 8314 section 7.3; mastodon#20310, #22235, #23180",
    ),
    Code(
        "port-unusual",
        "warning",
        "The port is not a usual mail port; often it is a usual one with swapped digits.",
        "Correct mastodon_smtp_port. If the relay does listen there, nothing to do; a port from 1024 on is accepted "
        "once mastodon_smtp_tls is set.",
        "RFC 8314 section 7.3; providers.yml",
    ),
    Code(
        "starttls-optional",
        "warning",
        "Mail is sent unencrypted, including login and password, if someone on the way strips the STARTTLS offer.",
        "Set mastodon_smtp_tls: starttls, which refuses to send unencrypted.",
        "RFC 3207 section 6; mastodon#15956, #20311",
    ),
    Code(
        "credentials-unencrypted",
        "error",
        "Login and password would be sent over the network unencrypted.",
        "Set mastodon_smtp_tls to starttls or implicit (TLS from the first byte).",
        "RFC 8314 section 3.3",
    ),
    Code(
        "mail-unencrypted",
        "warning",
        "Mail, including password-reset links, would be sent over the network unencrypted.",
        "Set mastodon_smtp_tls to starttls or implicit (TLS from the first byte).",
        "RFC 8314 section 3.3",
    ),
    Code(
        "verify-off",
        "error",
        "The relay's certificate is not verified, so anyone on the way can impersonate it and read login and password.",
        "Set mastodon_smtp_verify: peer. For a private CA, set mastodon_smtp_ca_file to its certificate.",
        "mastodon#6996, #10831",
    ),
    Code(
        "loopback-certificate",
        "warning",
        "A relay on the same machine seldom has a certificate for the name used to reach it.",
        "Set mastodon_smtp_tls: none for a relay on localhost; nothing leaves the machine.",
    ),
    Code(
        "ca-file-relative",
        "error",
        "The CA file is not an absolute path.",
        "Write the full path on the instance's host (in the container for a Compose deployment).",
    ),
    Code(
        "ca-file-unused",
        "warning",
        "A CA file is set, but encryption or verification is off, so it is not used.",
        "Drop mastodon_smtp_ca_file, or set mastodon_smtp_tls and mastodon_smtp_verify.",
    ),
    Code(
        "helo-invalid",
        "error",
        "The EHLO name is not a domain name.",
        "Leave mastodon_smtp_helo_domain unset (Mastodon then uses LOCAL_DOMAIN), or set a full domain name.",
        "RFC 5321 section 4.1.1.1; a relay answers 501",
    ),
    # Login.
    Code(
        "login-not-given",
        "error",
        "A login is required, but none is set.",
        "Set mastodon_smtp_login, or mastodon_smtp_auth: none for a relay that requires no login.",
        "net-smtp: SMTP-AUTH requested but missing user name",
    ),
    Code(
        "password-not-given",
        "error",
        "A password is required, but none is set.",
        "Set mastodon_smtp_password (from Ansible Vault), or mastodon_smtp_auth: none for a relay that requires no "
        "login.",
        "net-smtp: SMTP-AUTH requested but missing secret phrase",
    ),
    Code(
        "login-without-auth",
        "error",
        "A login or password is set although auth is none.",
        "Remove mastodon_smtp_login and mastodon_smtp_password, or set mastodon_smtp_auth: plain.",
        "net-smtp logs in whenever a user name is there; mastodon#772",
    ),
    # Secrets.
    Code(
        "secret-short",
        "warning",
        "The password is very short. Short secrets are easily guessed, and hiding one in output hides other text too.",
        "Generate a new, longer one at the provider.",
    ),
    Code(
        "secret-in-value",
        "error",
        "The password is part of a value that is not secret, so hiding it in output would garble that value.",
        "Use another password.",
    ),
    Code(
        "cram-md5-not-ascii",
        "error",
        "Ruby's CRAM-MD5 login fails with a password that has non-ASCII characters.",
        "Set mastodon_smtp_auth to plain or login, or use an ASCII password.",
        "net-smtp 0.2.1 to 0.5.1: auth_cram_md5.rb",
    ),
    Code(
        "secret-has-line-break",
        "error",
        "The password contains a line break or another control character, usually from the file it was read from.",
        "Remove it, for instance with the filter trim.",
    ),
    Code(
        "secret-has-outer-blanks",
        "warning",
        "The password begins or ends with a space, usually from copying it.",
        "Copy the password again without the space, or keep it if it is part of the password.",
    ),
    # Addresses.
    Code(
        "from-missing",
        "error",
        "No sender address is set; Mastodon would send as notifications@localhost, which relays reject.",
        "Set mastodon_smtp_from_address.",
        "config/environments/production.rb",
    ),
    Code(
        "address-invalid",
        "error",
        "A sender address is not a valid single address.",
        "Write notifications@example.com or Example <notifications@example.com>.",
        "RFC 5322 section 3.4; mastodon#16076, #16672",
    ),
    Code(
        "test-address-invalid",
        "error",
        "The test account or the test recipient is not a mail address.",
        "Write one address without a name, such as admin@example.com.",
        "RFC 5321 section 4.1.2",
    ),
    Code(
        "retry-rate-invalid",
        "error",
        "The rate at which mails are retried is not between 1 and 600 a minute.",
        "Write a whole number within the limits of your provider, such as 20.",
        "_waiting/retry.py",
    ),
    Code(
        "address-name-unquoted",
        "error",
        "The display name of an address contains characters that must be in double quotes.",
        'Write "Example, Inc." <notifications@example.com>.',
        "RFC 5322 section 3.2.3",
    ),
    Code(
        "address-domain-not-ascii",
        "error",
        "The domain of an address is not in its ASCII (xn--) form.",
        "Write the xn-- form of the domain.",
        "RFC 5891; net-smtp offers no SMTPUTF8",
    ),
    Code(
        "address-domain-local",
        "warning",
        "The sender's domain is not a public domain; relays and receivers will reject it.",
        "Use an address in a domain that you own.",
        "RFC 5321 section 2.3.5",
    ),
    Code(
        "return-path-foreign",
        "warning",
        "The return path is not in the sender's domain, so SPF is not aligned with the sender's domain.",
        "Use a return path in the sender's domain, or make sure that DKIM signs for the sender's domain.",
        "RFC 7489 section 3.1.2",
    ),
    Code(
        "return-path-unread",
        "warning",
        "This release does not read SMTP_RETURN_PATH.",
        "Upgrade to Mastodon 3.5.1 or newer, or drop mastodon_smtp_return_path.",
        "mastodon#17886",
    ),
    # The release.
    Code(
        "release-unknown",
        "info",
        "The release is newer than the newest one known here, or not a version; it is treated as the newest known one.",
        "Nothing to do: mailer_check compares the plan with what Rails actually uses.",
    ),
    Code(
        "release-fork",
        "info",
        "This is a fork of Mastodon; it is treated as the Mastodon release that its version names.",
        "Nothing to do: mailer_check compares the plan with what Rails actually uses.",
    ),
    Code(
        "release-unsupported",
        "warning",
        "The release is older than 3.5, the oldest supported one.",
        "Upgrade Mastodon. Until then, compare what mailer_check reports with what you expect.",
    ),
    Code(
        "release-mail-defect",
        "warning",
        "This release has a known bug in sending mail, which the plan works around where it can.",
        "Upgrade to the named release.",
    ),
    Code(
        "tls-not-possible",
        "error",
        "This release does not support the TLS mode.",
        "Upgrade Mastodon, or choose a TLS mode that this release supports.",
        "mastodon#20311; mail gem 2.7.1",
    ),
    Code(
        "value-misread",
        "error",
        "This release writes the value unquoted into a YAML file, where it would be misread or break the file.",
        "Use another value. From 4.4.0, upgrading also helps: 4.4.1 quotes host, login, password and addresses.",
        "mastodon#35305, #35314",
    ),
    Code(
        "override-contradicts",
        "error",
        "A web or Sidekiq service gets a mail variable from elsewhere than the environment file, with another effect "
        "than planned, so it would not send as planned.",
        "Remove the line that the message names. For systemd, then run systemctl daemon-reload.",
        "systemd.exec(5); Compose specification, environment and env_file; dotenv never overrides the environment of "
        "its process",
    ),
    Code(
        "rails-would-refuse",
        "error",
        "Rails would refuse to start or to send with these settings.",
        "See the other findings.",
    ),
    Code(
        "variable-unread",
        "warning",
        "The environment file sets a mail variable that no Mastodon release reads. It is left unchanged.",
        "Remove the line by hand if nothing else reads it.",
    ),
    # What the settings in use do, and nobody meant.
    Code(
        "credential-blank",
        "warning",
        "A login or password is set but empty, and this release logs in with it.",
        "Fill in both. If the relay needs no login, remove both lines and set SMTP_AUTH_METHOD=none.",
        "config/email.yml since mastodon#35314 (4.4.1); before, an empty one meant no login",
    ),
    Code(
        "helo-blank",
        "warning",
        "SMTP_DOMAIN is set but empty, so Mastodon greets the relay with an empty name or as localhost.",
        "Remove the line SMTP_DOMAIN=; Mastodon then uses LOCAL_DOMAIN.",
        "config/environments/production.rb, config/email.yml; net-smtp: Net::SMTP#start",
    ),
    Code(
        "delivery-off",
        "warning",
        "The delivery method writes mail to files or keeps it in memory; nothing is sent.",
        "Remove the line SMTP_DELIVERY_METHOD= and set a relay (SMTP_SERVER).",
        "Rails: action_mailer/delivery_methods.rb",
    ),
    Code(
        "settings-unused",
        "warning",
        "A relay is set beside a delivery method that does not use it.",
        "Remove the line SMTP_DELIVERY_METHOD= to use the relay, or the relay's lines.",
        "config/environments/production.rb",
    ),
    # The bulk relay.
    Code(
        "bulk-unsupported",
        "error",
        "A separate relay for bulk mail (announcements, changed terms, posts to subscribers) needs Mastodon 4.4 or "
        "newer.",
        "Upgrade Mastodon, or drop mastodon_smtp_bulk.",
        "mastodon#35191",
    ),
    Code(
        "bulk-same-account",
        "warning",
        "The bulk relay is the main relay with the same login, so all mail counts against the same limit.",
        "Use another account for bulk mail, or drop mastodon_smtp_bulk.",
        "mastodon#36770",
    ),
    Code(
        "bulk-password-alone",
        "error",
        "A bulk password is set, but no bulk relay.",
        "Set mastodon_smtp_bulk, or drop mastodon_smtp_bulk_password.",
    ),
    Code(
        "bulk-with-sendmail",
        "error",
        "The delivery method is sendmail, which uses no relay, not for bulk mail either.",
        "Drop mastodon_smtp_bulk, or set mastodon_smtp_delivery_method: smtp.",
        "app/mailers/concerns/bulk_mail_settings_concern.rb",
    ),
    Code(
        "sendmail-not-possible",
        "error",
        "Mastodon 4.1.0 cannot send through sendmail: its mail gem rejects the arguments that its Rails passes.",
        "Upgrade to Mastodon 4.1.1 or newer, or set mastodon_smtp_delivery_method: smtp and a relay.",
        "mail 2.8.0.1: delivery_methods/sendmail.rb; action_mailer/delivery_methods.rb of Rails before 7.1",
    ),
    Code(
        "sendmail-with-relay",
        "warning",
        "The delivery method is sendmail, so the configured relay is not used.",
        "Set mastodon_smtp_delivery_method: smtp, or drop the relay.",
        "config/environments/production.rb",
    ),
)
