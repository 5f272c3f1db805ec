#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_relay_info
short_description: See whether this host can reach its mail relay, trust it and log in
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Holds the SMTP dialogue that Mastodon will hold, from the host on which Mastodon runs, up to the point where a
    message would begin. Nothing is ever sent.
  - At most one C(AUTH) command goes out, with the one mechanism that Mastodon will use. Login and password never pass
    over a connection that is not encrypted and verified, unless O(tls=none) or O(verify=none) says so.
  - When it fails, it finds out why. It asks the port what it does speak, shows the certificate that is not believed,
    and tries the relay's other ports.
  - Every failure is a finding with a stable code, its cause and its fix. The module fails when a finding is an error,
    with the same evidence in the result as when it succeeds.
options:
  host:
    description: Name or address of the relay, as Mastodon will use it. Names outside ASCII in their C(xn--) form.
    type: str
    required: true
  port:
    description: Port of the relay.
    type: int
    required: true
  tls:
    description:
      - How encryption begins.
      - V(starttls) demands that the connection is upgraded, V(implicit) begins with TLS, V(none) stays unencrypted.
      - V(starttls_optional) is what Mastodon does when nothing is set. It encrypts only if the relay offers it. Where
        the relay does not offer it, no login is sent here, and the module fails with the code V(login-withheld).
    type: str
    choices: [starttls, starttls_optional, implicit, none]
    default: starttls
  verify:
    description: Whether the relay's certificate is verified.
    type: str
    choices: [peer, none]
    default: peer
  ca_file:
    description:
      - CA file that Mastodon will use, trusted in addition to the default of the host's OpenSSL.
      - Mastodon 3.5 and newer use V(/etc/ssl/certs/ca-certificates.crt) when nothing is set.
    type: path
  helo_domain:
    description: The name given in C(EHLO). Mastodon uses C(SMTP_DOMAIN), or else C(LOCAL_DOMAIN).
    type: str
    required: true
  auth:
    description: The login mechanism that Mastodon will use.
    type: str
    choices: [plain, login, cram_md5, none]
    default: plain
  login:
    description: User name at the relay. Required unless O(auth=none).
    type: str
  password:
    description: Password at the relay. Required unless O(auth=none).
    type: str
  skip_auth:
    description:
      - Leave the login out and check everything before it.
    type: bool
    default: false
  share_verdict:
    description:
      - Whether hosts of one run that have the same login and password at the same O(host) learn from each other.
        Relays lock accounts.
      - One of them logs in first while the others wait, with any strategy. If its login is accepted, the others follow
        in parallel. If not, they skip the login and fail with the code V(login-refused-elsewhere).
      - Set it to V(false) to let each host, and each retry, try for itself.
    type: bool
    default: true
  refused_on:
    description:
      - Name of a host that was not let in with this login. The login is left out then, and the module fails.
      - O(share_verdict) fills it in.
    type: str
  sender:
    description:
      - With an address here, the envelope is tried after the login and taken back with C(RSET).
      - Many relays check the sender only when they are given a recipient (Postfix does), or only when a message is
        really sent. So acceptance proves little, but a rejection proves a lot.
    type: str
  recipient:
    description: Recipient for the envelope. Needs O(sender). Nothing is sent to it.
    type: str
  connect_timeout:
    description: Seconds for looking up the name, and again for connecting. Mastodon gives up after 5.
    type: float
    default: 5
  timeout:
    description:
      - Seconds for the whole dialogue. A relay that sends its answers drop by drop gains nothing.
      - Finding out why a dialogue failed takes as long again at most, and never more than 15 seconds.
    type: float
    default: 30
  alternative_ports:
    description: The relay's other ports, in order of preference. They are tried when O(port) cannot be reached.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: Port number.
        type: int
        required: true
      tls:
        description: How encryption begins there.
        type: str
        choices: [starttls, starttls_optional, implicit, none]
        required: true
  control_host:
    description:
      - A web server elsewhere that is always there, to tell a blocked port from a host that has no way out at all.
      - The probe connects to it on port 443, only when neither O(port) nor any of O(alternative_ports) is reachable.
    type: str
  certificate_warning_days:
    description: Warn when the relay's certificate expires in fewer days.
    type: int
    default: 14
  provider_hint:
    description: What to know about this provider's logins. It is shown when the login is rejected.
    type: str
    default: ""
  relay:
    description: Which of Mastodon's two relays this is. It decides how the fixes call the role's options.
    type: str
    choices: [main, bulk]
    default: main
  vantage:
    description:
      - From where the relay is tried.
      - V(host) is the host itself. Nothing of Mastodon is needed on it.
      - V(instance) is the place of the instance's Sidekiq service. With systemd that is the host. With Docker Compose
        it is the network of the Sidekiq container, with the container's C(/etc/hosts), C(/etc/resolv.conf) and trusted
        authorities. Mastodon's image has no Python, so a process of the host enters that network for the time of the
        dialogue; this needs root.
      - The instance is found as in M(fediops.mastodon.instance_info), by the same options.
    type: str
    choices: [host, instance]
    default: host
attributes:
  action:
    details: Hosts take turns on the controller (O(share_verdict)); everything else happens on the target.
  async:
    details: The other hosts wait for how the login goes.
  idempotent:
    details: Changes nothing. What it returns depends on the relay.
extends_documentation_fragment:
  - fediops.mastodon.instance
  - fediops.mastodon.handed
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.reads
  - fediops.mastodon.chain
notes:
  - Needs nothing but Python on the target. O(vantage=instance) needs root, by C(become).
  - With O(vantage=instance), a loopback relay inside a container, a network without a way out and an O(ca_file) that
    the container does not have are separate findings.
  - The result names the trust store in use. A Ruby that was built with an OpenSSL of its own may trust
    other authorities by default; the authorities in O(ca_file) are trusted by both.
"""

EXAMPLES = r"""
- name: See whether this host can log in to the relay
  fediops.mastodon.smtp_relay_info:
    host: smtp.example.org
    port: 587
    tls: starttls
    helo_domain: social.example
    ca_file: /etc/ssl/certs/ca-certificates.crt
    login: mastodon
    password: "{{ vault_smtp_password }}"

- name: Look for an open port where the cloud blocks some
  fediops.mastodon.smtp_relay_info:
    host: smtp.example.org
    port: 465
    tls: implicit
    helo_domain: social.example
    login: mastodon
    password: "{{ vault_smtp_password }}"
    alternative_ports:
      - port: 2465
        tls: implicit
      - port: 587
        tls: starttls

- name: See whether the instance's Sidekiq can, wherever it runs
  fediops.mastodon.smtp_relay_info:
    vantage: instance
    host: smtp.example.org
    port: 587
    helo_domain: social.example
    login: mastodon
    password: "{{ vault_smtp_password }}"
  become: true

- name: Try a relay on the host itself, with the sender
  fediops.mastodon.smtp_relay_info:
    host: localhost
    port: 25
    tls: none
    auth: none
    helo_domain: social.example
    sender: notifications@social.example
"""

RETURN = r"""
relay:
  description: What was seen, as far as the dialogue came.
  returned: always
  type: dict
  contains:
    host:
      description: The relay, as given.
      type: str
      returned: always
      sample: smtp.example.org
    port:
      description: Its port, as given.
      type: int
      returned: always
      sample: 587
    tls:
      description: How encryption begins, as given.
      type: str
      returned: always
      sample: starttls
    addresses:
      description: What became of each of its addresses, in the order in which Mastodon tries them.
      type: list
      elements: dict
      returned: always
      contains:
        family:
          description: V(ipv4) or V(ipv6).
          type: str
        address:
          description: The address.
          type: str
        outcome:
          description:
            - V(answered) said something, V(silent) and V(closed) took the connection but said nothing, V(connected)
              took the connection and was not needed.
            - V(timed out), V(refused) and V(unreachable) took none. V(not tried) was left out.
          type: str
        seconds:
          description: Time until the connection stood or failed.
          type: float
      sample:
        - {family: ipv6, address: "2001:db8::25", outcome: unreachable, seconds: 0.0}
        - {family: ipv4, address: 192.0.2.25, outcome: answered, seconds: 0.021}
    greeting:
      description: The relay's greeting.
      type: str
      returned: always
      sample: 220 smtp.example.org ESMTP
    ehlo:
      description: What the relay says it can do (under TLS, if there was TLS).
      type: dict
      returned: always
      contains:
        name:
          description: How it calls itself.
          type: str
        size:
          description: Largest message in bytes; 0 is without limit, null is not said.
          type: int
        auth:
          description: Login mechanisms.
          type: list
          elements: str
        starttls:
          description: Whether STARTTLS was offered before encryption.
          type: bool
        extensions:
          description: All extensions, as written.
          type: list
          elements: str
      sample:
        name: smtp.example.org
        size: 10485760
        auth: [PLAIN, LOGIN]
        starttls: true
        extensions: [PIPELINING, SIZE 10485760, AUTH PLAIN LOGIN, ENHANCEDSTATUSCODES, 8BITMIME]
    tls_details:
      description: The encrypted connection and its certificate. After a failed verification, the one that failed.
      type: dict
      returned: always
      contains:
        version:
          description: TLS version.
          type: str
        cipher:
          description: Cipher suite.
          type: str
        verified:
          description: Whether chain and name were verified and are good.
          type: bool
        would_verify:
          description: With O(verify=none), whether verification would succeed. Null when not known.
          type: bool
        trust_store:
          description: What is trusted.
          type: str
        subject:
          description: Subject of the certificate.
          type: str
        names:
          description: Names and addresses that it is for.
          type: list
          elements: str
        issuer:
          description: Who issued it.
          type: str
        self_issued:
          description: Whether that is the subject itself.
          type: bool
        not_before:
          description: Start of validity, UTC.
          type: str
        not_after:
          description: End of validity, UTC.
          type: str
        days_left:
          description: Whole days until then; negative once it has expired.
          type: int
        sha256:
          description: Fingerprint.
          type: str
      sample:
        version: TLSv1.3
        cipher: TLS_AES_256_GCM_SHA384
        verified: true
        would_verify: null
        trust_store: /etc/ssl/certs/ca-certificates.crt and the default of this host's OpenSSL
        subject: CN=smtp.example.org
        names: [smtp.example.org]
        issuer: CN=Example CA, O=Example
        self_issued: false
        not_before: "2026-10-01T00:00:00Z"
        not_after: "2026-12-30T00:00:00Z"
        days_left: 37
        sha256: 0d4a1185e1c5b3ab7e3f4d0c8f6f2d3b5a5b0f7d6f3f1e2d9a8b7c6d5e4f3a2b
    auth:
      description: The login.
      type: dict
      returned: always
      contains:
        mechanism:
          description: As given in O(auth).
          type: str
        tried:
          description: Whether login and password were sent.
          type: bool
        accepted:
          description: Whether they were accepted; null when not tried or not answered.
          type: bool
        answer:
          description: The relay's words.
          type: str
      sample: {mechanism: plain, tried: true, accepted: true, answer: 235 2.7.0 Authentication successful}
    envelope:
      description: What the relay said to O(sender) and O(recipient); null for each that was not tried.
      type: dict
      returned: always
      sample:
        sender: {tried: true, accepted: true, answer: 250 2.1.0 Ok}
        recipient: null
    open_ports:
      description: The O(alternative_ports) and whether they can be reached; empty when O(port) could be reached.
      type: list
      elements: dict
      returned: always
      sample:
        - {port: 2465, tls: implicit, open: true}
    control_reached:
      description: Whether O(control_host) could be reached; null when it was not tried.
      type: bool
      returned: always
      sample: null
    speaks:
      description:
        - What the port speaks. V(implicit), V(starttls), V(plain) (no encryption offered), V(rejecting) (greets
          with a rejection), V(closed) (disconnects), V(silent), V(other) (not SMTP), V(refused) (nothing listens) or
          V(unreachable).
        - Null when that could not be seen.
      type: str
      returned: always
      sample: starttls
    stage:
      description: Where the dialogue ended early. One of V(connect), V(banner), V(tls), V(ehlo), V(starttls), V(auth),
        V(mail), V(rcpt); null when it came to its end.
      type: str
      returned: always
      sample: null
findings:
  description:
    - Conclusions, worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: tls-on-plaintext-port
      severity: error
      subject: smtp.example.org:587
      message: Port 587 speaks STARTTLS, the settings say implicit TLS (from the first byte).
      fix: Set mastodon_smtp_tls to starttls.
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import (
    INSTANCE_ARGUMENTS,
    conclude,
    guarded,
    hints_from,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import (
    AUTH_METHODS,
    TLS_MODES,
    VERIFY_MODES,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.probe import Result, probe
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.settings import Endpoint, Settings
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.verdict import context_of, verdict

ARGUMENT_SPEC = {
    **INSTANCE_ARGUMENTS,
    "vantage": {"type": "str", "choices": ["host", "instance"], "default": "host"},
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "tls": {"type": "str", "choices": list(TLS_MODES), "default": "starttls"},
    "verify": {"type": "str", "choices": list(VERIFY_MODES), "default": "peer"},
    "ca_file": {"type": "path"},
    "helo_domain": {"type": "str", "required": True},
    "auth": {"type": "str", "choices": list(AUTH_METHODS), "default": "plain"},
    "login": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "skip_auth": {"type": "bool", "default": False},
    "share_verdict": {"type": "bool", "default": True},
    "refused_on": {"type": "str"},
    "sender": {"type": "str"},
    "recipient": {"type": "str"},
    "connect_timeout": {"type": "float", "default": 5},
    "timeout": {"type": "float", "default": 30},
    "alternative_ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "tls": {"type": "str", "choices": list(TLS_MODES), "required": True},
        },
    },
    "control_host": {"type": "str"},
    "certificate_warning_days": {"type": "int", "default": 14},
    "provider_hint": {"type": "str", "default": ""},
    "relay": {"type": "str", "choices": ["main", "bulk"], "default": "main"},
}

#: Options that the probe takes under the same name.
PLAIN_SETTINGS = (
    "host",
    "port",
    "tls",
    "verify",
    "ca_file",
    "helo_domain",
    "auth",
    "login",
    "password",
    "skip_auth",
    "refused_on",
    "sender",
    "recipient",
    "connect_timeout",
    "timeout",
    "control_host",
)


def settings_from(options):
    """The probe's settings; options that are not given keep the probe's defaults."""
    ports = tuple(Endpoint(**one) for one in options["alternative_ports"])
    given = {name: options[name] for name in PLAIN_SETTINGS if options[name] is not None}
    return Settings(alternative_ports=ports, **given)


def tried_from_instance(driver, settings):
    """The probe's result from where the instance's sidekiq runs, and findings about that place."""

    def tried(translate):
        ca_file = settings.ca_file and translate(settings.ca_file)
        return probe(dataclasses.replace(settings, ca_file=ca_file))

    result, findings = driver.look_from(tried)
    reached = any(one.outcome in ("connected", "answered") for one in result.addresses)
    return result, [*driver.relay_findings(settings.host, settings.ca_file, reached), *findings]


def run(module):
    settings = settings_from(module.params)
    about_place = []
    if module.params["vantage"] == "host":
        result = probe(settings)
    else:
        # Imported only here, because the host compiles every file that a step imports.
        from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import find

        result, about_place = tried_from_instance(find(hints_from(module.params)), settings)
    context = context_of(settings, module.params["relay"], module.params["provider_hint"])
    findings = verdict(settings, result, context, module.params["certificate_warning_days"])
    conclude(module, [*about_place, *findings], changed=False, relay=result.as_dict())


def main():
    with_login = [("auth", mechanism, ("login", "password")) for mechanism in ("plain", "login", "cram_md5")]
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, required_if=with_login, supports_check_mode=True)
    given = module.params
    nothing = Result(given["host"], given["port"], given["tls"], mechanism=given["auth"]).as_dict()
    # The dialogue, the search for the cause, and the test of other ports.
    guarded(module, run, limit=2 * given["timeout"] + 10 * given["connect_timeout"], relay=nothing)


if __name__ == "__main__":
    main()
