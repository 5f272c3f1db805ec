#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_adopt
short_description: Write the mail settings that an instance uses into the inventory
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Reads what a running Mastodon instance uses, from all layers as Rails reads them, and writes it into the inventory
    on the controller, in the variables of the role P(fediops.mastodon.mastodon_smtp#role).
  - Checks whether a rollout of these settings would change anything, and reports where it would.
  - Secrets are never shown, and never written in clear. They are left as placeholders, or go straight into a file that
    is encrypted with Ansible Vault.
  - The instance is only read.
attributes:
  action:
    details: Reads on the target, and writes on the controller.
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The diff shows the file of settings, which holds no secret.
  idempotent:
    support: full
    details: Files that already say the same are left alone.
extends_documentation_fragment:
  - fediops.mastodon.instance
  - fediops.mastodon.handed
  - fediops.mastodon.attributes
  - fediops.mastodon.chain
options:
  dest:
    description:
      - The folder of the host's variables on the controller. It is made if it is missing. By default it is
        C(host_vars/<host>) beside the inventory file that has the host.
      - The settings go into C(mastodon_smtp.yml) there, and secrets into C(mastodon_smtp_vault.yml).
      - A host whose name is not usable as a file name is rejected (C(adopt-host-name)).
    type: path
  secrets:
    description:
      - V(placeholder) writes a reference to a variable C(vault_mastodon_smtp_password), which you have to set.
      - V(vault) writes the secrets into a file encrypted with the vault password that Ansible was given.
    type: str
    choices: [placeholder, vault]
    default: placeholder
  vault_id:
    description:
      - The vault ID to encrypt with. By default, C(vault_encrypt_identity) of Ansible's configuration, else the first
        one given.
    type: str
  overwrite:
    description: Whether to replace files that are there already and say something else.
    type: bool
    default: false
  seal:
    description: For internal use by the controller's part of this step.
    type: str
notes:
  - Needs nothing but Python on the target, and the permission to read the environment file there.
seealso:
  - module: fediops.mastodon.instance_info
"""

EXAMPLES = r"""
- name: Adopt what runs here, with the secrets in a vault
  fediops.mastodon.smtp_adopt:
    secrets: vault
  become: true
"""

RETURN = r"""
files:
  description: The files on the controller that have (in check mode, would have) the settings.
  returned: success
  type: list
  elements: str
  sample: [/srv/inventory/host_vars/social/mastodon_smtp.yml, /srv/inventory/host_vars/social/mastodon_smtp_vault.yml]
written:
  description: Those of the files that were written (in check mode, would be), since they did not say the same already.
  returned: success
  type: list
  elements: str
  sample: [/srv/inventory/host_vars/social/mastodon_smtp.yml]
placeholders:
  description: The variables that the files refer to and that are still to be put into a vault.
  returned: success
  type: list
  elements: str
  sample: [vault_mastodon_smtp_password]
variables:
  description: The names of the role variables that were adopted. Never values.
  returned: success
  type: list
  elements: str
  sample: [mastodon_smtp_host, mastodon_smtp_port, mastodon_smtp_login, mastodon_smtp_password]
summary:
  description: The same for people, with what to do next.
  returned: success
  type: list
  elements: str
  sample: ["Written: /srv/inventory/host_vars/social/mastodon_smtp.yml, with mastodon_smtp_host, mastodon_smtp_port."]
findings:
  description:
    - What was noticed, worst first; the module fails when one of them is an error.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: adopt-rewrites
      severity: info
      subject: SMTP_ENABLE_STARTTLS_AUTO, SMTP_ENABLE_STARTTLS
      message: A rollout would write these variables differently; Rails uses the same settings either way.
      fix: Nothing to do.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import (
    INSTANCE_ARGUMENTS,
    conclude,
    guarded,
    hints_from,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import named
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.variables import VARIABLES
from ansible_collections.fediops.mastodon.plugins.module_utils._seal import seal


def run(module: AnsibleModule) -> None:
    if not module.params["seal"]:
        module.fail_json(msg="This step has a part on the controller; call fediops.mastodon.smtp_adopt in a play.")
    instance = named(hints_from(module.params)).instance
    mail = {name: text for name, text in instance.variables.items() if name in VARIABLES}
    stale = [one.name for one in instance.services if one.stale and one.holds_mail_settings]
    conclude(
        module,
        instance.findings,
        changed=False,
        sealed=seal(mail, module.params["seal"]),
        release=instance.release,
        local_domain=instance.local_domain,
        mail_variables=list(instance.mail_variables),
        stale=stale,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            INSTANCE_ARGUMENTS,
            dest={"type": "path"},
            secrets={"type": "str", "choices": ["placeholder", "vault"], "default": "placeholder", "no_log": False},
            vault_id={"type": "str"},
            overwrite={"type": "bool", "default": False},
            seal={"type": "str", "no_log": True},
        ),
        supports_check_mode=True,
    )
    guarded(module, run)


if __name__ == "__main__":
    main()
