#!/usr/bin/python

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: env_file
short_description: Edit an environment file so that every program reads it the same
description:
  - Sets and removes variables in C(.env.production), the file from which Mastodon's programs read their settings.
  - Several programs read that file, each with its own quoting rules. This module writes a value only in a way that
    all the named readers take as exactly that value, and proves it by reading the whole result again as each of them
    does. A value that cannot be written that way is rejected.
  - Everything else in the file stays as it is, byte for byte. So do owner, group, mode, SELinux label, ACL and a link.
  - The file is replaced as a whole or not at all, whatever happens meanwhile.
author:
  - The fediops.mastodon contributors (@fediops)
version_added: 1.0.0
extends_documentation_fragment:
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.host
  - fediops.mastodon.chain
  - fediops.mastodon.handed
  - fediops.mastodon.readers
attributes:
  check_mode:
    support: full
    details:
      - Predicts what would prevent the file from being replaced, such as a file that is a mount point, a chattr flag,
        a full file system (blocks and inodes, with the reserve of root), and what stands where a backup has to go.
      - Whether a quota has room cannot be seen; C(env-quota-unseen) says so where the file system has quotas.
  diff_mode:
    support: full
    details: The diff shows the changed variables only, by name, with every secret hidden.
  idempotent:
    support: full
    details: A variable that all readers already see as wanted is left as it is written.
options:
  path:
    description:
      - The environment file. A link is followed, and the file that it leads to is edited.
      - The file must exist.
    type: path
    required: true
  set:
    description:
      - Variables to set, and their values. Numbers, V(true) and V(false) are written as such words.
      - A new variable goes next to its kin, below its commented-out twin or below the last variable of the same block.
    type: dict
    default: {}
  secrets:
    description: The same as O(set), for values that must not be shown anywhere.
    type: dict
    default: {}
  remove:
    description: Variables to take out of the file, with all their duplicates. Comments stay.
    type: list
    elements: str
    default: []
  backup:
    description:
      - Back up the file beside it before the edit. RV(backup_file) is the state before this edit; the next edit
        replaces it. The state before the first edit is kept permanently as C(<path>.before-smtp).
      - The checksum of the file as the edit leaves it is noted in C(<path>.last-smtp.sha256).
      - Backups have owner and group of the file and are never readable by others.
    type: bool
    default: true
  expected_checksum:
    description:
      - SHA-256 of the file as it was read. The module fails when the file has changed since.
      - With O(state=restored), the RV(checksum_after) of the edit to undo. By default the one that the last edit
        recorded beside its backup, in C(<path>.last-smtp.sha256).
    type: str
  state:
    description:
      - V(present) edits the file.
      - V(restored) restores a backup, but only if the file has not changed since the edit.
    type: str
    choices: [present, restored]
    default: present
  backup_file:
    description:
      - With O(state=restored), the backup to restore; by default the one of the last edit.
      - A link is not followed here, since whoever owns the directory could let it lead to a file of somebody else.
    type: path
  restored_mtime:
    description:
      - With O(state=restored), the modification time of the restored file.
      - V(preserve) gives it the time that it had before the edit, so services that never read the edited file do not
        count as running on old settings. Take V(now) when services may have read the edited file.
    type: str
    choices: [preserve, now]
    default: preserve
  busy_timeout:
    description: Seconds to wait for another edit, or for a step of another run that is at work on this file, to end.
    type: float
    default: 20
notes:
  - Results never contain values, only the names of variables.
seealso:
  - module: ansible.builtin.lineinfile
"""

EXAMPLES = r"""
- name: Point Mastodon at the relay
  fediops.mastodon.env_file:
    path: /home/mastodon/live/.env.production
    set:
      SMTP_SERVER: smtp.relay.example
      SMTP_PORT: 587
      SMTP_LOGIN: mastodon@example.com
    secrets:
      SMTP_PASSWORD: "{{ vault_smtp_password }}"
    remove:
      - SMTP_SSL
    readers: [ruby, node]
  register: edit

- name: Restore the file to its state before that edit
  fediops.mastodon.env_file:
    path: /home/mastodon/live/.env.production
    state: restored
    backup_file: "{{ edit.backup_file }}"
    expected_checksum: "{{ edit.checksum_after }}"

- name: Undo the last edit, unless somebody has changed the file since
  fediops.mastodon.env_file:
    path: /home/mastodon/live/.env.production
    state: restored
    restored_mtime: now
"""

RETURN = r"""
changed_variables:
  description: What happened to each variable; names only.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The variable.
      type: str
    what:
      description:
        - V(added), V(changed) or V(removed).
        - V(requoted) when some readers saw the wanted value already, and others did not.
      type: str
  sample:
    - name: SMTP_SERVER
      what: changed
    - name: SMTP_PASSWORD
      what: requoted
backup_file:
  description:
    - Where the state before this edit is kept; null when nothing was changed or no backup was wanted.
    - Where an earlier edit is not proved, the last good state, also when this run changed nothing.
  returned: always
  type: str
  sample: /home/mastodon/live/.env.production.last-smtp
checksum_before:
  description: SHA-256 of the file as it was found; null when it could not be read.
  returned: always
  type: str
  sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
checksum_after:
  description: SHA-256 of the file as it was left (in check mode, as it would be left).
  returned: always
  type: str
  sample: fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
unproved:
  description: Which proofs of O(handed.prove) are still missing for the file as it was left. Empty when it is proved.
  returned: always
  type: list
  elements: str
  sample: [mailer, services, queue]
ticket:
  description: To be given to the modules that prove the edit; null when there is nothing to prove, and in check mode.
  returned: always
  type: str
  sample: 9f86d081884c7d65
findings:
  description:
    - What was found, worst first; the module fails when one of them is an error.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: env-command-runs
      severity: warning
      subject: line 14 (GIT_TAG)
      message: A value holds $(...), which is run as a command by the Ruby gem dotenv.
      fix: If that is not intended, put the value in single quotes.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import (
    CHAIN_ARGUMENTS,
    HANDED_ARGUMENTS,
    conclude,
    guarded,
    handed,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import NAMES
from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Request, present, restored


def run(module: AnsibleModule) -> None:
    options, told = module.params, handed(module.params)
    request = Request(
        path=options["path"],
        set=options["set"],
        secrets=options["secrets"],
        remove=options["remove"],
        readers=options["readers"],
        backup=options["backup"],
        expected_checksum=options["expected_checksum"],
        backup_file=options["backup_file"],
        keep_mtime=options["restored_mtime"] == "preserve",
        check_mode=module.check_mode,
        prove=told.get("prove", []),
        ticket=told.get("ticket"),
        busy_timeout=options["busy_timeout"],
    )
    outcome = present(request) if options["state"] == "present" else restored(request)
    evidence = outcome.as_dict()
    if module._diff:
        before, after = outcome.diff
        evidence["diff"] = {
            "before_header": options["path"],
            "after_header": options["path"],
            "before": before,
            "after": after,
        }
    conclude(module, outcome.findings, **evidence)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CHAIN_ARGUMENTS,
            **HANDED_ARGUMENTS,
            "path": {"type": "path", "required": True},
            "set": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "remove": {"type": "list", "elements": "str", "default": []},
            "readers": {
                "type": "list",
                "elements": "str",
                "choices": list(NAMES),
                "default": ["ruby", "node", "compose"],
            },
            "backup": {"type": "bool", "default": True},
            "expected_checksum": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
            "backup_file": {"type": "path"},
            "restored_mtime": {"type": "str", "choices": ["preserve", "now"], "default": "preserve"},
            "busy_timeout": {"type": "float", "default": 20},
        },
        supports_check_mode=True,
    )
    guarded(module, run, limit=module.params["busy_timeout"])


if __name__ == "__main__":
    main()
