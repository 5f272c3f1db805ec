#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sender_dns_info
short_description: See whether receivers will believe the sender of a Mastodon server's mail
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Looks up in DNS what receivers look up when a mail arrives, and judges it by 21 rules. They cover mail hosts, SPF
    (RFC 7208), DKIM keys (RFC 6376) and DMARC (RFC 9989, with its tree walk instead of a public suffix list).
  - SPF is actually evaluated, with addresses of the relay in use, on the domain that receivers check. A relay that
    sends with its own domain in the envelope needs nothing in your SPF record, and is not asked for it.
  - When DNS does not answer, the result is V(unknown). A record is called missing only when DNS says so.
  - Each finding begins with the record to publish (name, type, value) and then says why. All of them together are
    returned as lines of a zone file, and for octoDNS.
options:
  from_address:
    description:
      - The From address of the instance, or only its domain. Mastodon calls it C(SMTP_FROM_ADDRESS).
      - Exactly one of O(from_address) and O(senders) is needed.
    type: str
  return_path: &return_path
    description:
      - The envelope sender that Mastodon sets (C(SMTP_RETURN_PATH)), as an address or a domain. Unset means the From
        address, as in Mastodon.
      - Ignored where the relay replaces it, by its preset or O(bounce_domain).
    type: str
  bounce_domain: &bounce_domain
    description:
      - The domain of yours that the relay puts into the envelope instead, if you set one up at the provider. Providers
        call it bounce domain, return-path domain, custom MAIL FROM or (Mailgun) sending domain.
      - Unset means what the provider's preset says.
    type: str
  dkim_domain: &dkim_domain
    description: The domain for which the relay signs (C(d=)). Unset means the domain of the From address.
    type: str
  provider: &provider
    description:
      - The relay provider, as in M(fediops.mastodon.smtp_settings). Tells on which name SPF is checked, the
        provider's SPF name and, where every customer has the same, the DKIM selectors. What you set yourself wins.
    type: str
  region: &region
    description: The provider's region, where its names depend on one.
    type: str
  selectors: &selectors
    description:
      - DKIM selectors to check, the part before C(._domainkey), as the provider's console shows them.
      - Where neither you nor the preset names one, DKIM is V(unknown). Selectors are never guessed.
    type: list
    elements: str
  spf_include: &spf_include
    description: The SPF name of the relay, for example V(_spf.example.net). Unset means the preset's.
    type: str
  relay_addresses: &relay_addresses
    description:
      - IP addresses or networks that the relay sends from, if you know them. They are tried against the SPF record.
      - Unset means one address of each of the first four networks of the relay's SPF name.
    type: list
    elements: str
  bulk: &bulk
    description:
      - Whether more than 5,000 mails a day go to one large receiver. Gmail and Microsoft then demand DMARC, and a
        missing record is an error.
      - Unset means V(false).
    type: bool
  senders:
    description:
      - Several senders at once, for a whole fleet. Equal ones are looked at once, and no question goes out twice.
      - A key that an entry leaves out is taken from the option of the same name.
    type: list
    elements: dict
    suboptions:
      from_address:
        description: The From address, or only its domain.
        type: str
        required: true
      return_path: *return_path
      bounce_domain: *bounce_domain
      dkim_domain: *dkim_domain
      provider: *provider
      region: *region
      selectors: *selectors
      spf_include: *spf_include
      relay_addresses: *relay_addresses
      bulk: *bulk
  nameservers:
    description:
      - IP addresses of the name servers to ask, in order. They must look up names for others (recursive).
      - Unset means those of the controller.
    type: list
    elements: str
  port:
    description: Port of the name servers.
    type: int
    default: 53
  timeout:
    description: Seconds for one try of one question at one name server. Each server is tried twice.
    type: float
    default: 3
  lifetime:
    description:
      - Seconds for all questions together. What is open after them is V(unknown).
      - Name servers that have never answered are given up after three questions, long before that.
    type: float
    default: 60
  fail_on:
    description:
      - Which findings fail the task. V(warning) means errors and warnings, V(never) only reports.
      - V(unknown) never fails the task, so a controller without DNS does not stop a rollout.
    type: str
    choices: [error, warning, never]
    default: error
  share_verdict:
    description:
      - Whether an equal sender is looked at once for all hosts of one run, whatever the strategy. The others wait for
        the first and have the same result.
      - Set it to V(false) to repeat the same queries, for instance with C(until).
    type: bool
    default: true
attributes:
  idempotent:
    details: Changes nothing. What it returns depends on DNS.
extends_documentation_fragment:
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.controller
  - fediops.mastodon.attributes.reads
  - fediops.mastodon.chain
requirements:
  - dnspython >= 2.6.1, on the controller
  - spftrace >= 0.3, on the controller; without it SPF is not checked, and a finding says so
notes:
  - Runs on the controller and does not connect to the target.
  - Name servers of a company may answer differently from those that receivers ask (split DNS). Give public ones in
    O(nameservers) then.
  - The provider's policies are not checked. Whether the provider actually signs with a key is visible only in a mail
    that has arrived.
seealso:
  - module: fediops.mastodon.smtp_settings
  - module: fediops.mastodon.smtp_relay_info
"""

EXAMPLES = r"""
- name: See whether receivers will believe the sender
  fediops.mastodon.sender_dns_info:
    from_address: Mastodon <notifications@social.example>
    provider: sendgrid
    bounce_domain: em1234.social.example

- name: Look at a relay without a preset, and only report
  fediops.mastodon.sender_dns_info:
    from_address: notifications@social.example
    spf_include: _spf.relay.example.net
    selectors: [mail2026]
    fail_on: never

- name: Look once for a whole fleet, with public name servers
  fediops.mastodon.sender_dns_info:
    senders:
      - from_address: notifications@social.example
      - from_address: notifications@art.example
        bulk: true
    provider: postmark
    selectors: [20260101pm]
    nameservers: [192.0.2.53, 2001:db8::53]
  run_once: true
"""

RETURN = r"""
verdict:
  description:
    - The worst of all findings, in one word. V(error), V(warning), V(unknown) or V(ok).
  returned: always
  type: str
  sample: warning
domains:
  description: The result for each From domain.
  returned: always
  type: dict
  sample:
    social.example:
      verdict: warning
      findings:
        - code: dmarc-missing
          severity: warning
          subject: social.example
          message: >-
            Publish _dmarc.social.example TXT "v=DMARC1; p=none". _dmarc.social.example, _dmarc.example: none of them
            has a DMARC record.
          fix: Publish one; p=none does not affect the mail you send today.
sender_dns:
  description: What was seen for each different sender, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    from_domain:
      description: The domain of the From address, in the form that DNS uses.
      type: str
      sample: social.example
    return_path_domain:
      description: The domain on which receivers check SPF. Empty when it cannot be known.
      type: str
      sample: em1234.social.example
    dkim_domain:
      description: The domain whose DKIM keys were looked at.
      type: str
      sample: social.example
    provider:
      description: The preset used. Empty without one.
      type: str
      sample: sendgrid
    verdict:
      description: The worst finding of this sender. V(error), V(warning), V(unknown) or V(ok).
      type: str
      sample: warning
    rules:
      description:
        - The outcome of each rule. V(ok), V(info), V(warning), V(error), V(unknown) when DNS did not say, or V(skipped)
          when the rule does not apply.
      type: list
      elements: dict
      sample:
        - id: D1
          outcome: ok
        - id: M1
          outcome: warning
    records:
      description: What DNS answered, by topic, and how SPF judged the relay's addresses. Long records are cut.
      type: dict
      sample:
        mx:
          name: social.example
          type: MX
          status: records
          records: [10 mail.social.example]
    zone:
      description:
        - Everything that the findings ask for, in their order, as lines of a zone file. Empty if there is nothing.
        - What only you or the provider know, and what is not proved, is a comment. Infos are left out.
      type: str
      sample: |
        ; What the findings ask for, in their order. A line after a semicolon has no effect until you complete it.

        ; warning dmarc-missing: _dmarc.social.example, _dmarc.example: none of them has a DMARC record.
        _dmarc.social.example. 3600 IN TXT "v=DMARC1; p=none"
    octodns:
      description: The records of RV(sender_dns[].zone) that can be published as they are, for octoDNS, by zone.
      type: dict
      sample:
        social.example: |
          # Add these to your file of the zone social.example; keep other values at the same name.
          ---
          _dmarc:
          - ttl: 3600
            type: TXT
            values:
            - v=DMARC1\; p=none
nameservers:
  description: The name servers that were asked.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.53]
findings:
  description:
    - What is wrong or open, worst first, over all senders.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: spf-missing
      severity: error
      subject: social.example
      message: >-
        Publish social.example TXT "v=spf1 include:_spf.relay.example.net ~all". Receivers check SPF on this domain, but
        it has no SPF record.
      fix: Publish one SPF record.
"""
