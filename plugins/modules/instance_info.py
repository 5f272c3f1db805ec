#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
short_description: Find the Mastodon instance on a host and what its mail settings are
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Finds the instance through its systemd units, whatever they are called, or through the labels that Docker Compose
    puts on its containers. From them it takes the app directory, the user, the environment file and the release. Each
    can be given instead.
  - Says which services run, since when, and whether they run on older settings than the files now hold. A service that
    was failing already, such as one that starts and ends again and again, is a warning with the end of its log. So is
    one that is stopped although it is enabled.
  - A host may run the web service without Sidekiq, or Sidekiq without the web service, when another host has the other
    half. RV(instance.roles) says which, and a finding says that the other host needs the same settings.
  - Names the mail variables that are set, and for each service that sends mail those set in a layer that wins over the
    environment file, with file and line. That is the unit's C(Environment=) or C(EnvironmentFile=),
    C(.env.production.local) or C(.env.local). With Docker Compose it is an C(environment:) entry of the Compose file,
    or a later C(env_file). With both it is what a running process was started with besides that.
  - With Docker Compose, it also says what a new container would not have as the running one has it, such as another
    image, or a variable that was given on a command line. Those are errors, since an edit needs new containers.
  - Works out what Rails of that release makes of the settings, without starting Rails.
  - Values of variables are never returned, other than in RV(instance.effective) and RV(instance.senders), which hold
    neither login nor password.
  - Every problem is a finding with a stable code, its cause and its fix. The module fails when a finding is an error,
    with the same evidence in the result as when it succeeds.
extends_documentation_fragment:
  - fediops.mastodon.instance
  - fediops.mastodon.handed
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.host
  - fediops.mastodon.attributes.reads
  - fediops.mastodon.chain
notes:
  - Needs nothing but Python on the target.
  - Needs the permission to read the environment file and the app directory, and with Docker Compose to speak to the
    Docker Engine. C(become) is the usual way. A user in the group C(docker) will do where the environment file is
    theirs; the relay is then tried from the host and not from the container's network.
  - With a rootless Engine, log in or become as the user whom it belongs to (C(ansible_user) without C(become), or
    C(ansible_become_user)). Its socket is found where Docker's own set-up puts it, C(/run/user/UID/docker.sock). Where
    it is elsewhere, set C(DOCKER_HOST) with the keyword C(environment) of the play.
  - With Docker Compose, a service counts as stale when one of its containers has a variable with another value than
    Compose would give to a new one. Compose's own reading of its files is authoritative (C(docker compose config)).
  - With systemd, a service counts as stale when its main process started before the last modification of any file that
    it takes variables from, and also when that cannot be told. A Puma that was reloaded rather than restarted keeps its
    process and counts as stale.
seealso:
  - module: fediops.mastodon.mail_services
  - module: fediops.mastodon.mailer_check
"""

EXAMPLES = r"""
- name: See what runs here
  fediops.mastodon.instance_info:
  become: true
  register: mastodon

- name: Say which services run on old settings
  ansible.builtin.debug:
    msg: "{{ mastodon.instance.services | selectattr('stale') | map(attribute='name') | list }}"

- name: Look at the second of two instances on a host
  fediops.mastodon.instance_info:
    app_dir: /home/masto2/live
  become: true

- name: Find an instance whose units start it through custom scripts
  fediops.mastodon.instance_info:
    app_dir: /srv/mastodon
    user: fedi
    env_file: /etc/mastodon/environment
    services: [fedi-web, fedi-sidekiq]
  become: true
"""

RETURN = r"""
instance:
  description: The instance, as far as it is known. Null when none, or more than one, was found.
  returned: always
  type: dict
  contains:
    deployment:
      description: How it is run.
      type: str
      returned: always
      sample: systemd
    app_dir:
      description: The directory that holds Mastodon, or the Compose file.
      type: str
      returned: always
      sample: /home/mastodon/live
    user:
      description: The user that it runs as.
      type: str
      returned: always
      sample: mastodon
    env_file:
      description: The environment file, with symbolic links resolved. This is what has to be edited.
      type: str
      returned: always
      sample: /home/mastodon/live/.env.production
    env_file_checksum:
      description: SHA-256 of its contents, hexadecimal. Empty when it could not be read.
      type: str
      returned: always
      sample: 3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728
    readers:
      description: Who reads the environment file, as O(fediops.mastodon.env_file#module:readers) takes it.
      type: list
      elements: str
      returned: always
      sample: [ruby-3.1.5-3.1.8, node]
    release:
      description: Mastodon's own version. Empty when it could not be read.
      type: str
      returned: always
      sample: 4.3.8
    local_domain:
      description: C(LOCAL_DOMAIN) as Rails sees it. Empty when it is not set.
      type: str
      returned: always
      sample: social.example
    roles:
      description:
        - What is meant to run on this host, V(web), V(sidekiq) or both. A service that is masked, or stopped and not
          enabled, does not count, and with Docker Compose one with no replicas, or in a profile and without a
          container. One that has failed does.
        - Empty when nothing is meant to run, or the instance could not be read so far.
      type: list
      elements: str
      returned: always
      sample: [web, sidekiq]
    services:
      description: Its services.
      type: list
      elements: dict
      returned: always
      contains:
        name:
          description: The name of the unit, or of the service in the Compose file.
          type: str
        role:
          description: V(web), V(sidekiq) or V(streaming).
          type: str
        state:
          description:
            - V(running), V(failed) or V(stopped).
            - V(changing) is on its way up or down, or crashed and waiting to be tried again.
          type: str
        detail:
          description: The state in systemd's or Docker's own words.
          type: str
        since:
          description: When its main process started, ISO 8601 in UTC. Null when it does not run.
          type: str
        pid:
          description: Its main process; 0 when it does not run.
          type: int
        restarts:
          description: How often it was brought back since somebody last started it.
          type: int
        stale:
          description: Whether it runs on older settings than the files now hold.
          type: bool
        differs:
          description:
            - Names of the variables that it was given with another value than the files now hold. The values are
              compared and never shown.
            - With systemd, where the processes read the file themselves, mail variables that they were started with and
              that the unit's files, changed since, give another value. Null when there are none.
          type: list
          elements: str
      sample:
        - name: mastodon-sidekiq.service
          role: sidekiq
          state: running
          detail: active (running)
          since: "2026-11-23T09:11:42Z"
          pid: 812
          restarts: 0
          stale: false
          differs: null
    unproved:
      description:
        - What an earlier rollout that died had still to prove about the environment file, as
          RV(fediops.mastodon.env_file#module:unproved). Empty when there is nothing.
      type: list
      elements: str
      returned: always
      sample: []
    ticket:
      description: Who carries that edit on, as RV(fediops.mastodon.env_file#module:ticket). Null when there is nothing.
      type: str
      returned: always
      sample: null
    mark:
      description:
        - Tells the steps after this one in the role whether they have to look for the services again.
        - Empty where they always do.
      type: str
      returned: always
      sample: 0c5e0dcb4f2fd0a2f0e5a0e1c6d1f8c4a1f2b8e0f4d7c9a3b6e5d4c3b2a19080
    mail_variables:
      description: Names of the variables in the environment file that begin with C(SMTP_) or C(BULK_SMTP_).
      type: list
      elements: str
      returned: always
      sample: [SMTP_FROM_ADDRESS, SMTP_LOGIN, SMTP_PASSWORD, SMTP_PORT, SMTP_SERVER]
    overrides:
      description: Such variables in layers that win over the environment file.
      type: list
      elements: dict
      returned: always
      contains:
        variable:
          description: Its name.
          type: str
        layer:
          description: C(Environment), C(EnvironmentFile), C(environment:), C(env_file) or the name of the file.
          type: str
        path:
          description: The file, the unit, or the service of the Compose file.
          type: str
        line:
          description: The line in that file. 0 when it is not known.
          type: int
      sample:
        - variable: SMTP_PORT
          layer: .env.production.local
          path: /home/mastodon/live/.env.production.local
          line: 3
    senders:
      description:
        - The web and Sidekiq services, each with the mail variables that its own processes get from elsewhere than the
          environment file. A Sidekiq that sends mail is first; Rails is asked with its variables.
        - RV(fediops.mastodon.smtp_settings#module:findings) has an error for each that contradicts the plan.
      type: list
      elements: dict
      returned: always
      contains:
        service:
          description: The name of the service.
          type: str
        role:
          description: V(web) or V(sidekiq).
          type: str
        elsewhere:
          description:
            - Where its mail variables come from, other than the environment file, the winner first. The keys
              C(variable), C(layer), C(path) and C(line) are those of RV(instance.overrides).
            - C(wins) is whether it overrides the environment file. C(set) is false for what the unit unsets.
            - C(value) is null for a login, a password and a variable that Mastodon does not read. For these, C(digest)
              has a digest, if there is a O(handed.digest_key).
            - The layer V(process) stands for variables that a running process was started with although no file is seen
              to set them.
            - The layer V(not in environment:) stands for variables that a Compose file does not pass on, where it takes
              its mail variables one by one from C(.env).
          type: list
          elements: dict
      sample:
        - service: mastodon-sidekiq.service
          role: sidekiq
          elsewhere:
            - variable: SMTP_PORT
              layer: Environment
              path: /etc/systemd/system/mastodon-sidekiq.service.d/mail.conf
              line: 2
              wins: true
              set: true
              value: "465"
              digest: null
    effective:
      description:
        - What Rails of that release makes of all layers together, without login and password.
        - The same shape as RV(fediops.mastodon.mailer_check#module:effective). Null when the release is not known.
      type: dict
      returned: always
      sample:
        delivery_method: smtp
        from: notifications@social.example
        reply_to: null
        return_path: null
        error: null
        main:
          settings: {address: smtp.example.org, port: "587", domain: social.example, authentication: plain}
          login_set: true
          password_set: true
          tls_mode: starttls_optional
          auth_mode: plain
          verify_mode: peer
        bulk: null
findings:
  description:
    - What was noticed, worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: override-hides-file
      severity: warning
      subject: SMTP_PORT in /home/mastodon/live/.env.production.local
      message: .env.production.local sets it there, which wins over /home/mastodon/live/.env.production.
      fix: Remove it there; otherwise its value in the environment file has no effect.
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import (
    INSTANCE_ARGUMENTS,
    conclude,
    guarded,
    handed,
    hints_from,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._files.unproved import about
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import findings_about, named
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    Elsewhere,
    Instance,
    InstanceError,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.renewal import not_served
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.elsewhere import told
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import Release
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.standing import about_standing


def evidence(instance: Instance, key: str = "") -> dict[str, t.Any]:
    """The instance as the module returns it, with the effective settings derived from its known variables.

    :param key: for the digests of credentials; without it there are none.
    """
    known = bool(instance.release and instance.env_file_checksum)
    verdict = effective(instance.variables, Release.parse(instance.release), instance.local_domain) if known else None
    senders = [
        {"service": one.service, "role": one.role, "elsewhere": [_told(each, key) for each in one.elsewhere]}
        for one in instance.senders
    ]
    return {**instance.as_dict(), "senders": senders, "effective": verdict.as_dict() if verdict else None}


def _told(one: Elsewhere, key: str) -> dict[str, t.Any]:
    is_set = one.value is not None
    return {**one.as_dict(), "wins": one.wins, "set": is_set, **told(one.value, one.variable, key)}


def run(module: AnsibleModule) -> None:
    key = handed(module.params).get("digest_key", "")
    hints = hints_from(module.params)
    try:
        instance = named(hints).instance
    except InstanceError as faulty:
        conclude(module, faulty.findings, changed=False, instance={**evidence(faulty.instance, key), **about("")[0]})
    note, noted = about(instance.env_file)
    standing = about_standing(instance.variables, instance.mail_variables, instance.release, instance.local_domain)
    idle = filter(None, [not_served(instance.services)])
    conclude(
        module,
        [*findings_about(instance, hints), *idle, *noted, *standing],
        changed=False,
        instance={**evidence(instance, key), **note},
    )


def main() -> None:
    module = AnsibleModule(argument_spec=dict(INSTANCE_ARGUMENTS), supports_check_mode=True)
    guarded(module, run, instance=None)


if __name__ == "__main__":
    main()
