#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_arrival_info
short_description: See what became of a mail in the receiver's mailbox
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Waits for messages in mailboxes over IMAP, by their Message-ID, in every folder. A relay that accepts a mail does
    not tell whether receivers trust the sender; the mailbox does.
  - For each message it returns the time from send to arrival, the folder, what the receiver says about SPF, DKIM, DMARC
    and ARC (C(Authentication-Results), RFC 8601), and the collection's own judgement beside it.
  - Own judgement means DKIM signatures that are verified, SPF of the address that handed the mail to the receiver,
    alignment for DMARC, and TLS of that hop.
  - What is in a mailbox may come from anybody. Only the header and at most 1 MB of a message are read, in bounded time,
    and a message that only has the same Message-ID changes nothing.
options:
  mailboxes:
    description: The mailboxes to search, for instance one for each large receiver.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: The IMAP server.
        type: str
        required: true
      port:
        description: Its port. Unset means 993 for implicit TLS, 143 otherwise.
        type: int
      tls:
        description: How the connection is encrypted. With V(none) the password is sent in the clear.
        type: str
        choices: [implicit, starttls, none]
        default: implicit
      ca_file:
        description: A file on the controller with the authorities that the server's certificate may be from.
        type: path
      verify:
        description: Whether the server's certificate is checked.
        type: bool
        default: true
      login:
        description: The login of the mailbox.
        type: str
        required: true
      password:
        description: Its password. Large providers want one made for programs (app password).
        type: str
        required: true
      address:
        description: The address that the mailbox belongs to. Unset means the login, which must then be an address.
        type: str
      authserv_id:
        description:
          - The name under which the receiver writes C(Authentication-Results), such as V(mx.google.com).
          - Unset means the topmost one, if it is above the header with which the receiver took the mail. What is below
            may come from the sender.
          - Set it if the receiver writes it below. Of several there, only the topmost counts.
        type: str
  messages:
    description: The messages to find.
    type: list
    elements: dict
    required: true
    suboptions:
      message_id:
        description: The Message-ID, with or without angle brackets.
        type: str
        required: true
      to:
        description:
          - The address it was sent to. It is then searched in the mailbox of this address only.
          - If no mailbox has this address, a finding (C(arrival-unjudged)) says that nobody looked.
        type: str
      name:
        description: What it is, for the findings.
        type: str
        default: mail
      sent:
        description:
          - When it was sent, in ISO 8601 (UTC without a time zone) or as seconds since 1970.
          - Unset means what its Date header says.
        type: str
      bulk:
        description: Whether it is bulk mail, which needs C(List-Unsubscribe) for one click (RFC 8058).
        type: bool
        default: false
  since:
    description:
      - Messages that arrived before this time are not meant, as in O(messages[].sent). Two minutes are allowed for
        clocks that differ.
      - Unset means the earliest O(messages[].sent), if all messages have one.
    type: str
  timeout:
    description: Seconds to wait for all messages.
    type: float
    default: 120
  late_after:
    description: Seconds from send to arrival after which a message is late.
    type: float
    default: 300
  cleanup:
    description:
      - Whether each message that was found is deleted afterwards. Nothing else is; the server must have UIDPLUS
        (RFC 4315).
      - Not in check mode.
    type: bool
    default: false
  nameservers:
    description: IP addresses of the name servers to ask. Unset means those of the controller.
    type: list
    elements: str
  dns_port:
    description: Port of the name servers.
    type: int
    default: 53
  fail_on:
    description: Which findings fail the task. V(warning) means errors and warnings, V(never) only reports.
    type: str
    choices: [error, warning, never]
    default: error
attributes:
  check_mode:
    support: full
    details: Searches as usual, and deletes nothing.
  diff_mode:
    support: N/A
    details: Changes nothing on the target.
  idempotent:
    support: partial
    details: A message that O(cleanup) deleted is not found again.
extends_documentation_fragment:
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.controller
  - fediops.mastodon.chain
requirements:
  - authres >= 1.2, on the controller, to read the receiver's Authentication-Results
  - dkimpy >= 1.0, on the controller, to verify DKIM signatures
  - dnspython >= 2.6.1, on the controller, for SPF, DKIM and DMARC
  - spftrace >= 0.3, on the controller, for SPF
notes:
  - Runs on the controller and does not connect to the target.
  - A message is found without any of the required libraries. What is then not judged is a finding.
seealso:
  - module: fediops.mastodon.mailer_check
  - module: fediops.mastodon.sender_dns_info
"""

EXAMPLES = r"""
- name: Send a test message
  fediops.mastodon.mailer_check:
    send_to: postmaster@example.com
  register: checked

- name: See where it arrived
  fediops.mastodon.mail_arrival_info:
    mailboxes:
      - host: imap.example.com
        login: postmaster@example.com
        password: "{{ vault_postmaster_password }}"
    messages:
      - message_id: "{{ checked.test_message[0].message_id }}"
        name: test message
        cleanup: true
"""

RETURN = r"""
all_arrived:
  description: Whether every message arrived in time.
  returned: always
  type: bool
  sample: true
arrivals:
  description: The messages that were looked for, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: As in O(messages[].name).
      type: str
      sample: test message
    message_id:
      description: The Message-ID, without angle brackets.
      type: str
      sample: 6928b1c0@social.example
    to:
      description: As in O(messages[].to).
      type: str
      sample: postmaster@example.com
    deleted:
      description: Whether the message was deleted again.
      type: bool
      sample: true
    arrived:
      description: Whether it arrived. If not, the following values are missing.
      type: bool
      sample: true
    mailbox:
      description: The address of the mailbox.
      type: str
      sample: postmaster@example.com
    folder:
      description: The folder.
      type: str
      sample: INBOX
    junk:
      description: Whether the folder is for junk mail, by its attribute (RFC 6154) or by its name.
      type: bool
      sample: false
    seconds:
      description: Seconds from sending until the server took it. Null if it is not known when it was sent.
      type: float
      sample: 2.0
    receiver:
      description: What the receiver says. The words are those of RFC 8601; empty where it says nothing.
      type: dict
      sample:
        authserv_id: mx.example.com
        spf: pass
        dkim: pass
        dmarc: pass
        arc: ""
        results:
          - method: dkim
            result: pass
            domain: social.example
        why: ""
    judged:
      description: The own judgement. V(unknown) is what was not checked.
      type: dict
      sample:
        from_domain: social.example
        dkim:
          - domain: social.example
            selector: s1
            verdict: pass
            why: ""
        spf:
          domain: social.example
          address: 192.0.2.25
          verdict: pass
          why: ""
        dmarc: pass
        policy: reject
        aligned: [spf, dkim]
    last_hop:
      description: The hop by which the message reached the receiver, and whether it used TLS (null if unknown).
      type: dict
      sample:
        from: relay.example.net
        address: 192.0.2.25
        by: mx.example.com
        tls: true
        version: TLSv1.3
    spam_headers:
      description: Headers of spam filters. A sender can write them as well.
      type: dict
      sample:
        x-spam-status: "No, score=-0.1"
    list_unsubscribe:
      description: Whether it has C(List-Unsubscribe), and whether one click is enough.
      type: dict
      sample:
        present: true
        one_click: true
    others_with_this_id:
      description: How many different messages with the same Message-ID are in the mailbox. The earliest was judged.
      type: int
      sample: 0
findings:
  description:
    - What is wrong or open, worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: mail-in-junk
      severity: warning
      subject: test message to postmaster@example.com
      message: postmaster@example.com has it in Junk.
      fix: >-
        Resolve the findings about SPF, DKIM and DMARC first. Then look at the named spam headers.
"""
