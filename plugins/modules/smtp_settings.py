# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_settings
short_description: Turn the settings of a mail relay into the variables of one Mastodon release
version_added: 1.0.0
description:
  - Knows what each Mastodon release from 3.5 on does with each of its C(SMTP_*) and C(BULK_SMTP_*) variables, and
    what ActionMailer makes of them there.
  - Takes the relay in plain words, with presets for well-known providers, and returns a plan - the variables to set,
    the variables to remove, and the settings that Rails must report after the plan is applied.
  - Checks the settings against each other, against the provider and against the release, and reports everything it
    finds at once, the worst first. It fails when an error is among the findings.
  - The plan is complete. A variable that Mastodon reads and the plan does not set is removed, so no old setting stays
    in effect. A relay without login has its login and password variables removed, not blanked.
  - Runs on the controller and needs no connection. It changes nothing.
author:
  - The fediops.mastodon contributors (@fediops)
options:
  provider:
    description:
      - Name of a provider that the collection has a preset for. It fills in host, port, TLS mode, mechanism and a
        literal login. What you set yourself wins, and a contradiction is a finding.
      - They are V(alibaba_mail), V(aliyun_directmail), V(amazon_ses), V(amazon_workmail), V(brevo), V(dreamhost),
        V(elastic_email), V(fastmail), V(forward_email), V(gandi), V(gmail), V(google_relay), V(hetzner_webhosting),
        V(hostinger), V(icloud), V(infomaniak), V(ionos), V(local_postfix), V(maddy), V(mail_ru), V(mailbox_org),
        V(mailcow), V(mailersend), V(mailgun), V(mailjet), V(mailtrap), V(mandrill), V(microsoft365), V(migadu),
        V(mxroute), V(namecheap), V(netease_163), V(ovh), V(postal), V(posteo), V(postmark), V(proton),
        V(proton_bridge), V(purelymail), V(qq), V(resend), V(runbox), V(scaleway_tem), V(sendgrid), V(smtp2go),
        V(sparkpost), V(stalwart), V(strato), V(yandex), V(zeptomail) and V(zoho_mail).
    type: str
  region:
    description:
      - The provider's region, or another choice of its host, where it has more than one.
      - Any region of Amazon's, such as V(eu-west-1), for V(amazon_ses) and V(amazon_workmail), which need one; V(us) or
        V(eu) for V(mailgun) and V(sparkpost); V(eu) for V(sendgrid); V(transactional) or V(broadcast) for V(postmark),
        V(transactional) or V(bulk) for V(mailtrap); V(us), V(eu), V(eu2) or V(au) for V(smtp2go); V(eu) or V(ca) for
        V(ovh); V(de) for V(ionos); V(fr-par) for V(scaleway_tem); V(ap-southeast-1), V(us-east-1) or V(eu-central-1)
        for V(aliyun_directmail).
      - V(com), V(eu), V(in), V(com.au), V(jp) or V(ca) for V(zoho_mail); V(pro-com), V(pro-eu), V(pro-in),
        V(pro-com.au), V(pro-jp) or V(pro-ca) for its paid organisations.
    type: str
  host:
    description: Host name or IP address of the relay.
    type: str
  port:
    description:
      - Port of the relay.
      - Without it, the provider's preferred port for O(tls) is used; without a provider V(465) for V(implicit), V(25)
        for V(none), otherwise V(587).
    type: int
  tls:
    description:
      - V(starttls) starts in plain text and must be upgraded before anything is sent. V(implicit) is TLS from the
        first byte. V(starttls_optional) upgrades only if the relay offers it. V(none) encrypts nothing.
      - Without it, the mode that goes with O(port), otherwise V(starttls).
      - Mastodon before 4.0 cannot require STARTTLS, and before 4.1 cannot switch it off.
    type: str
    choices: [starttls, starttls_optional, implicit, none]
  auth:
    description: The way of logging in. Without it, the provider's, V(plain) where a login is given, otherwise
      V(none).
    type: str
    choices: [plain, login, cram_md5, none]
  login:
    description: The user name at the relay.
    type: str
  password:
    description: The password at the relay. It is checked and never returned; RV(plan.secret_variables) names its
      variable.
    type: str
  verify:
    description: V(peer) verifies the relay's certificate, V(none) accepts any.
    type: str
    choices: [peer, none]
    default: peer
  ca_file:
    description:
      - CA certificates to verify the relay with, as an absolute path on the instance's host.
      - Without it, Mastodon uses C(/etc/ssl/certs/ca-certificates.crt).
    type: str
  helo_domain:
    description: The name that Mastodon sends in EHLO. Without it, Mastodon sends its C(LOCAL_DOMAIN).
    type: str
  from_address:
    description: The sender of all mail, V(notifications@example.com) or V(Example <notifications@example.com>).
    type: str
  reply_to:
    description: Where answers go.
    type: str
  return_path:
    description: Where bounces go.
    type: str
  delivery_method:
    description: V(sendmail) hands mail to the program of that name on the instance's host; no relay is used then.
    type: str
    choices: [smtp, sendmail]
    default: smtp
  bulk:
    description:
      - A second relay for announcements and changed terms of service, from Mastodon 4.4 on, and for posts to e-mail
        subscribers, from 4.6 on. It inherits nothing from the main one.
      - Sender, reply and return addresses are those of the main relay; Mastodon has no others.
    type: dict
    suboptions:
      provider:
        description: As O(provider).
        type: str
      region:
        description: As O(region).
        type: str
      host:
        description: As O(host).
        type: str
      port:
        description: As O(port).
        type: int
      tls:
        description: As O(tls).
        type: str
        choices: [starttls, starttls_optional, implicit, none]
      auth:
        description: As O(auth).
        type: str
        choices: [plain, login, cram_md5, none]
      login:
        description: As O(login). The password is O(bulk_password).
        type: str
      verify:
        description: As O(verify).
        type: str
        choices: [peer, none]
        default: peer
      ca_file:
        description: As O(ca_file).
        type: str
      helo_domain:
        description: As O(helo_domain).
        type: str
  bulk_password:
    description: The password at the bulk relay. It is checked and never returned.
    type: str
  mastodon_release:
    description:
      - The release of the instance, RV(fediops.mastodon.instance_info#module:instance.release).
      - A fork is treated as the Mastodon release that its version names; a newer release, or text that is no version,
        as the newest known one. Both give an info finding.
    type: str
  local_domain:
    description:
      - C(LOCAL_DOMAIN) of the instance, RV(fediops.mastodon.instance_info#module:instance.local_domain). It is what
        Mastodon says in EHLO when O(helo_domain) is not set.
      - Without it, RV(plan.effective) does not say which name that is.
    type: str
  accept:
    description:
      - Codes of errors and warnings that you know of and accept; they become infos. Nothing else does that.
      - The codes are listed in C(docs/findings.md).
    type: list
    elements: str
    default: []
  current:
    description:
      - Names of the mail variables that the instance's file sets now,
        RV(fediops.mastodon.instance_info#module:instance.mail_variables).
      - A name that no release of Mastodon reads, C(SMTP_HOST) for instance, gives a warning. Its line is left
        unchanged.
    type: list
    elements: str
    default: []
  variables:
    description:
      - Names of the variables that the inventory sets for the role P(fediops.mastodon.mastodon_smtp#role).
      - One that begins like the role's variables and is none of them is an error (C(setting-unknown)).
    type: list
    elements: str
    default: []
  senders:
    description:
      - What the services that send mail get from elsewhere than the environment file,
        RV(fediops.mastodon.instance_info#module:instance.senders).
      - What would have another effect than the plan is an error (C(override-contradicts)). It names the file and the
        line to remove, and never a login or password.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: The name of the service.
        type: str
        default: ""
      role:
        description: V(web) or V(sidekiq).
        type: str
      elsewhere:
        description: The variables, the winner first.
        type: list
        elements: dict
        default: []
        suboptions:
          variable:
            description: The name.
            type: str
            default: ""
          layer:
            description: What sets it.
            type: str
            default: ""
          path:
            description: The file that sets it.
            type: str
            default: ""
          line:
            description: The line in that file. 0 when it is not known.
            type: int
            default: 0
          wins:
            description: Whether it overrides the environment file.
            type: bool
            default: true
          set:
            description: Whether it is set there, rather than unset.
            type: bool
            default: true
          value:
            description: The value, where it may be shown.
            type: str
          digest:
            description: Its digest with O(digest_key), where it may not.
            type: str
  env_file:
    description: The environment file of the instance, for messages.
    type: str
    default: .env.production
  digest_key:
    description: The key of the digests in O(senders). Without it, logins and passwords are not compared.
    type: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Nothing is changed, so there is nothing to compare. M(fediops.mastodon.env_file) shows the difference.
  idempotent:
    support: full
extends_documentation_fragment:
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.controller
  - fediops.mastodon.chain
  - fediops.mastodon.readers
seealso:
  - module: fediops.mastodon.instance_info
  - module: fediops.mastodon.env_file
  - module: fediops.mastodon.mailer_check
"""

EXAMPLES = r"""
- name: Plan for a provider with a preset
  fediops.mastodon.smtp_settings:
    provider: mailgun
    region: eu
    login: postmaster@mg.example.org
    password: "{{ vault_mailgun_password }}"
    from_address: Example <notifications@mg.example.org>
    mastodon_release: 4.5.3
    local_domain: social.example.org
  register: settings

- name: Plan for your own relay without login
  fediops.mastodon.smtp_settings:
    host: relay.internal.example.org
    port: 587
    tls: starttls
    auth: none
    ca_file: /etc/ssl/private-ca.pem
    from_address: mastodon@example.org
    mastodon_release: 4.3.8

- name: Plan with a second relay for announcements
  fediops.mastodon.smtp_settings:
    provider: postmark
    login: "{{ vault_postmark_token }}"
    password: "{{ vault_postmark_token }}"
    from_address: mastodon@example.org
    bulk:
      provider: postmark
      region: broadcast
      login: "{{ vault_postmark_broadcast_key }}"
    bulk_password: "{{ vault_postmark_broadcast_secret }}"
    mastodon_release: 4.5.3

- name: The plan as values for a Helm chart
  ansible.builtin.copy:
    content: "{{ settings.snippets.helm_charts | join('\n') }}\n"
    dest: smtp-values.yaml
    mode: "0644"
  delegate_to: localhost

- name: Accept that Mastodon 3.5 cannot insist on STARTTLS
  fediops.mastodon.smtp_settings:
    host: smtp.example.com
    login: mastodon
    password: "{{ vault_smtp_password }}"
    from_address: mastodon@example.org
    mastodon_release: 3.5.19
    accept: [tls-not-possible]
"""

RETURN = r"""
plan:
  description: What to do. It is returned when the step fails, too.
  returned: always
  type: dict
  contains:
    set:
      description: Variables to set, without secrets.
      type: dict
      returned: always
      sample: {SMTP_SERVER: smtp.eu.mailgun.org, SMTP_PORT: "587", SMTP_ENABLE_STARTTLS: always}
    remove:
      description: Variables that must not be there.
      type: list
      elements: str
      returned: always
      sample: [SMTP_TLS, SMTP_SSL, SMTP_ENABLE_STARTTLS_AUTO]
    secret_variables:
      description:
        - Variables to set to a secret, by name. C(SMTP_PASSWORD) holds O(password), C(BULK_SMTP_PASSWORD)
          O(bulk_password).
        - C(SMTP_LOGIN) is here when O(login) is the same text as a password.
      type: list
      elements: str
      returned: always
      sample: [SMTP_PASSWORD]
    effective:
      description:
        - What Rails must report after the plan is applied, as M(fediops.mastodon.mailer_check) takes it for its
          option C(expected).
        - RV(plan.effective.main) and RV(plan.effective.bulk) hold ActionMailer's C(settings) without user name and
          password, C(login_set), C(password_set), C(tls_mode), C(auth_mode) and C(verify_mode).
      type: dict
      returned: always
      contains:
        delivery_method:
          description: ActionMailer's delivery method.
          type: str
          returned: always
          sample: smtp
        from:
          description: The sender.
          type: str
          returned: always
          sample: Example <notifications@mg.example.org>
        reply_to:
          description: Where answers go.
          type: str
          returned: always
          sample: help@example.org
        return_path:
          description: Where bounces go.
          type: str
          returned: always
          sample: bounces@example.org
        error:
          description: The exception that Rails would raise, with C(class), C(stage) (V(boot) or V(build)) and
            C(message).
          type: dict
          returned: always
          sample: {class: ArgumentError, stage: build, message: ":enable_starttls and :tls are mutually exclusive"}
        main:
          description: The relay for all mail.
          type: dict
          returned: always
          sample:
            settings: {address: smtp.eu.mailgun.org, port: 587, authentication: plain, enable_starttls: always}
            login_set: true
            password_set: true
            tls_mode: starttls
            auth_mode: plain
            verify_mode: peer
        bulk:
          description: The relay for bulk mail.
          type: dict
          returned: always
          sample:
            settings: {address: bulk.example.com, port: 465, authentication: plain, tls: true}
            login_set: true
            password_set: true
            tls_mode: implicit
            auth_mode: plain
            verify_mode: peer
    release:
      description: The release that the plan is for.
      type: str
      returned: always
      sample: 4.5.3
    era:
      description: The first release that treats mail variables as this one does.
      type: str
      returned: always
      sample: "4.5"
    relay:
      description: The main relay with every default filled in, for M(fediops.mastodon.smtp_relay_info). Null when mail
        goes through C(sendmail).
      type: dict
      returned: always
      contains:
        host:
          description: Host name or address.
          type: str
          returned: always
          sample: smtp.eu.mailgun.org
        port:
          description: Port.
          type: int
          returned: always
          sample: 587
        tls:
          description: TLS mode, as O(tls).
          type: str
          returned: always
          sample: starttls
        auth:
          description: Mechanism, as O(auth).
          type: str
          returned: always
          sample: plain
        login:
          description: User name. Null where there is none, and where it is the same text as a password.
          type: str
          returned: always
          sample: postmaster@mg.example.org
        verify:
          description: As O(verify).
          type: str
          returned: always
          sample: peer
        ca_file:
          description: The CA certificates that Rails uses. Null for those of OpenSSL.
          type: str
          returned: always
          sample: /etc/ssl/certs/ca-certificates.crt
        helo_domain:
          description: The name in EHLO. Null when neither O(helo_domain) nor O(local_domain) is given.
          type: str
          returned: always
          sample: social.example.org
        alternatives:
          description: The provider's other ports, in its order of preference, each with C(port) and C(tls).
          type: list
          elements: dict
          returned: always
          sample: [{port: 465, tls: implicit}, {port: 2525, tls: starttls}]
        hint:
          description:
            - What login and password are at this provider, one sentence. Empty without O(provider).
            - It is for the option C(provider_hint) of M(fediops.mastodon.smtp_relay_info),
              M(fediops.mastodon.mailer_check) and M(fediops.mastodon.queued_mail_check), which add it to what they
              say about a refused login.
          type: str
          returned: always
          sample: "Resend: the login is the word resend; the password is an API key that starts with re_."
    bulk_relay:
      description: The bulk relay, as RV(plan.relay). Null without one.
      type: dict
      returned: always
      sample: {host: smtp-broadcasts.postmarkapp.com, port: 587, tls: starttls, auth: plain}
    sender:
      description: The sender's bare address and domain. Null when the sender cannot be read.
      type: dict
      returned: always
      sample: {address: notifications@mg.example.org, domain: mg.example.org}
snippets:
  description:
    - The plan in the words of what keeps Mastodon where the role changes nothing, as lines to paste. A password is not
      in them; they say where it goes.
    - RV(snippets.helm_charts) and RV(snippets.helm_chart) are values for the charts C(mastodon/helm-charts) and
      C(mastodon/chart). After an upgrade of the release, Kubernetes starts new pods with them.
    - RV(snippets.nixos) is for the NixOS configuration.
  returned: when the module is used outside of the role
  type: dict
  contains:
    helm_charts:
      description: Values for C(mastodon/helm-charts).
      type: list
      elements: str
      returned: always
      sample: ["mastodon:", "  smtp:", "    server: \"smtp.eu.mailgun.org\""]
    helm_chart:
      description: Values for C(mastodon/chart).
      type: list
      elements: str
      returned: always
      sample: ["mastodon:", "  smtp:", "    server: \"smtp.eu.mailgun.org\""]
    nixos:
      description: Options of C(services.mastodon).
      type: list
      elements: str
      returned: always
      sample: ["services.mastodon = {", "  smtp = {", "    host = \"smtp.eu.mailgun.org\";", "  };", "};"]
findings:
  description:
    - What there is to say about the settings, the worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: port-contradicts-tls
      severity: error
      subject: port 465, tls starttls
      message: "Port 465 uses TLS from the first byte, but tls is starttls: the connection would hang or fail."
      fix: "Set mastodon_smtp_tls: implicit, or mastodon_smtp_port: 587."
"""
