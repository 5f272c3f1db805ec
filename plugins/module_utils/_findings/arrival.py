# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the arrival: what became of a mail after the relay had taken it, as the receiver's mailbox shows it."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "arrival-option-invalid",
        "error",
        "An option of the arrival check has an unusable value.",
        "Correct the named option.",
    ),
    Code(
        "mailbox-unreachable",
        "error",
        "The mailbox's IMAP server does not answer as one, or its certificate is not trusted.",
        "Correct host, port, tls or ca_file of the mailbox; the error is in the message.",
        "RFC 9051, 7.1",
        of_test=True,
    ),
    Code(
        "mailbox-login-refused",
        "error",
        "The mailbox's IMAP server refuses the login.",
        "Correct login and password of the mailbox. Large providers want a password made for programs (app password).",
        "RFC 9051, 6.2.3",
        of_test=True,
    ),
    Code(
        "mail-not-arrived",
        "error",
        "The mail is in no folder of the mailbox when the time is up.",
        "Look in the relay's log for the answer of the receiver. If it put the mail off (greylisting), wait longer.",
        "RFC 5321, 4.5.4.1",
        of_test=True,
    ),
    Code(
        "mail-in-junk",
        "warning",
        "The mail arrived in the folder for junk mail.",
        "Resolve the findings about SPF, DKIM and DMARC first. Then look at the named spam headers.",
        "RFC 6154, 2 (the attribute Junk)",
    ),
    Code(
        "mail-late",
        "warning",
        "The mail arrived, but late.",
        "Look at the times in its Received headers: the longest gap shows where it waited.",
        "RFC 5321, 4.4",
    ),
    Code(
        "arrival-dmarc-fail",
        "error",
        "DMARC failed for the mail that arrived.",
        "Have the relay sign with DKIM for the From domain, or use a return path of that domain with SPF.",
        "RFC 9989",
    ),
    Code(
        "arrival-spf-fail",
        "warning",
        "SPF does not allow the address that handed the mail to the receiver.",
        "Add the relay to the SPF record of the return path's domain; sender_dns_info has the record.",
        "RFC 7208, 8",
    ),
    Code(
        "arrival-dkim-missing",
        "warning",
        "The mail arrived without a DKIM signature.",
        "Switch DKIM on at the relay, for the From domain.",
        "RFC 6376",
    ),
    Code(
        "arrival-dkim-broken",
        "error",
        "The mail has DKIM signatures, and none of them is valid.",
        "Compare the published key with the relay's. If the body was changed on the way, sign after that.",
        "RFC 6376, 6.1",
    ),
    Code(
        "arrival-dkim-other-domain",
        "warning",
        "The mail is signed with DKIM, but for no domain that is aligned with the From domain.",
        "Set up the relay's DKIM key for the From domain (provider: domain authentication).",
        "RFC 9989, identifier alignment",
    ),
    Code(
        "arrival-without-tls",
        "info",
        "The mail was handed to the receiver without TLS.",
        "Ask the relay's operator; the receiver may offer no TLS.",
        "RFC 3848",
    ),
    Code(
        "arrival-unsubscribe-missing",
        "warning",
        "Bulk mail arrived without List-Unsubscribe for one click.",
        "Large receivers want it in bulk mail. See the settings of the bulk relay, which may add it.",
        "RFC 8058, 3.1",
    ),
    Code(
        "arrival-id-reused",
        "info",
        "Another message in the mailbox has the same Message-ID.",
        "The earliest one was judged. Somebody who saw it may have copied its Message-ID.",
        "RFC 5322, 3.6.4",
    ),
    Code(
        "arrival-unjudged",
        "unknown",
        "A part of the arrival was not checked: no library or mailbox for it, or no answer from DNS.",
        "Install the named library into the Python that runs ansible-playbook, or give the mailbox of the recipient.",
    ),
)
