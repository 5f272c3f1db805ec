# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running instance -> the inventory. The module of the same name documents it and runs on the host."""

from __future__ import annotations

import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, match_encrypt_secret

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.adopt import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    Finding,
    FindingError,
    errors,
    explain,
    worst_first,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.adopt import Adopted, adopt
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import ROLE
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import forms, without
from ansible_collections.fediops.mastodon.plugins.module_utils._seal import new_key, unseal
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown_lines
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import UNREACHED, HostStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._inventory_file import (
    document,
    is_file_name,
    placeholder,
    placeholders,
    read,
    refuse_hidden,
    without_secrets,
    write_all,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets
from ansible_collections.fediops.mastodon.plugins.plugin_utils._summary import adopt_summary

#: A file of the inventory: its path, its new text, its present text or None, and its mode.
_File = tuple[str, str, t.Optional[str], int]


class ActionModule(HostStep):
    """The step C(smtp_adopt)."""

    KEY: t.ClassVar[str] = "adopt"
    UNREACHED: t.ClassVar[str] = UNREACHED

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Read on the host, write on the controller. The result has names of variables, never values."""
        try:
            folder = folder_of(options.get("dest"), task_vars)
        except FindingError as refused:
            return _failed([refused.finding])
        key = new_key()
        seen = self.ask(task_vars, module_name="fediops.mastodon.smtp_adopt", module_args={**options, "seal": key})
        sealed = seen.pop("sealed", None)
        if sealed is None:  # failed, unreachable, or wrong options: return the module's result
            return seen
        try:
            adopted, findings = _read(seen, unseal(str(sealed), key))
        except (KeyError, RecursionError, TypeError, ValueError):
            unread = "The host's answer is not a valid result of smtp_adopt and was discarded."
            return {"changed": False, "failed": True, "msg": unread}
        findings = [one.shown() for one in worst_first(findings)]
        try:
            if errors(findings):
                raise FindingError(worst_first(findings)[0])
            done = self._put(adopted, folder, options)
        except FindingError as refused:
            return _failed([*findings, refused.finding])
        done = {"changed": False, "findings": [one.as_dict() for one in worst_first(findings)], **done}
        host = str(task_vars.get("inventory_hostname") or "")
        return {**done, "summary": adopt_summary(done, host, bool(self._task.check_mode))}

    def _put(self, adopted: Adopted, folder: str, options: Result) -> Result:
        """Write the files whose content differs from the present one, all or none."""
        refuse_hidden(folder)
        into_vault = options.get("secrets") == "vault"
        text = document(adopted.settings, ["What this instance uses, adopted by fediops.mastodon.smtp_adopt."])
        if not into_vault and adopted.secrets:
            text += "# Put these into a vault of this host (ansible-vault create):\n" + placeholders(adopted.secrets)
        plain = os.path.join(folder, "mastodon_smtp.yml")
        files: list[_File] = [(plain, text, self._present(plain), 0o644)]
        if into_vault and adopted.secrets:
            vault = os.path.join(folder, "mastodon_smtp_vault.yml")
            hidden = document(adopted.secrets, ["Adopted by fediops.mastodon.smtp_adopt."])
            files.append((vault, hidden, self._present(vault), 0o600))
        todo = [one for one in files if one[1] != one[2]]
        for path, _unused, there, _unused_mode in todo:
            if there is not None and not _flag(options, "overwrite"):
                message = f"{path} already exists with different content."
                raise FindingError(TABLE.finding("adopt-file-exists", path, message))
        differences = [
            {
                "before_header": path,
                "after_header": path,
                "before": _before(path, old, adopted),
                "after": shown_lines(new),
            }
            for path, new, old, mode in todo
            if mode != 0o600
        ]
        ready = [(path, self._ready(new, mode, options), mode) for path, new, _unused, mode in todo]
        if not self._task.check_mode:
            write_all(ready)
        names = [ROLE + name for name in (*adopted.settings, *adopted.secrets)]
        done: Result = {
            "changed": bool(todo),
            "files": [one[0] for one in files],
            "written": [one[0] for one in todo],
            "variables": names,
            "placeholders": [] if into_vault else [placeholder(name) for name in adopted.secrets],
        }
        return {**done, "diff": differences} if self._task.diff else done

    def _present(self, path: str) -> str | None:
        """The present text, decrypted; None if there is no file; empty if it cannot be decrypted or decoded."""
        data = read(path)
        if data is None:
            return None
        try:
            if is_encrypted(data):
                data = self._vault().decrypt(data)
            return data.decode()
        except (AnsibleError, UnicodeDecodeError):
            return ""

    def _vault(self) -> VaultLib:
        vault: VaultLib = self._loader._vault
        return vault

    def _ready(self, text: str, mode: int, options: Result) -> bytes:
        return self._encrypted(text, options.get("vault_id")) if mode == 0o600 else text.encode()

    def _encrypted(self, text: str, vault_id: str | None) -> bytes:
        secrets = self._vault().secrets
        wanted = vault_id or C.config.get_config_value("DEFAULT_VAULT_ENCRYPT_IDENTITY")
        if not secrets:
            raise FindingError(TABLE.finding("adopt-no-vault", "vault", "No vault password was given."))
        try:
            vault_id, secret = match_encrypt_secret(secrets, encrypt_vault_id=wanted)
            encrypted: bytes = self._vault().encrypt(text, secret, vault_id)
        except AnsibleError:
            known = ", ".join(str(one) for one, _unused in secrets)
            message = f"There is no vault ID {wanted}; the given ones are: {known}."
            raise FindingError(TABLE.finding("adopt-no-vault", "vault_id", message)) from None
        if not is_encrypted(encrypted):
            raise AnsibleActionFail("Ansible Vault did not encrypt; nothing was written.")
        return encrypted


def folder_of(dest: t.Any, task_vars: t.Mapping[str, t.Any]) -> str:
    """The folder to write into: the operator's choice, else the host's folder in the inventory.

    :raises FindingError: the host's name is not a valid file name, or there is no inventory to write into.
    """
    host = str(task_vars.get("inventory_hostname") or "")
    if not is_file_name(host):
        message = f"The inventory calls this host {host!r}, which cannot be the name of a file."
        raise FindingError(TABLE.finding("adopt-host-name", "inventory_hostname", message))
    if dest:
        return os.path.realpath(os.path.expanduser(str(dest)))
    inventory = task_vars.get("inventory_dir")
    if not inventory:
        message = f"{host} is not defined in an inventory file, so there is no folder for its variables."
        raise FindingError(TABLE.finding("adopt-no-folder", "mastodon_smtp_adopt_dir", message))
    return os.path.realpath(os.path.join(str(inventory), "host_vars", host))


def _before(path: str, text: str | None, adopted: Adopted) -> str:
    """What a diff may show of the present text; nothing of an encrypted file."""
    if is_encrypted(read(path) or b""):
        return "(encrypted)\n"
    return shown_lines(without(without_secrets(text or ""), forms(adopted.secrets.values())))


def _failed(findings: t.Sequence[Finding]) -> Result:
    ranked = worst_first(findings)
    return {"changed": False, "failed": True, "msg": explain(ranked), "findings": [one.as_dict() for one in ranked]}


def _flag(options: Result, name: str) -> bool:
    return str(options.get(name, False)).lower() in ("true", "yes", "1", "on")


def _read(seen: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> tuple[Adopted, list[Finding]]:
    """The adopted settings, and all findings about them.

    :raises KeyError: the answer is not that of our module; or TypeError, ValueError.
    """
    names = seen["mail_variables"]
    texts = [*variables, *variables.values(), seen["release"], seen["local_domain"], *seen["stale"], *names]
    if not all(isinstance(one, str) for one in texts):
        raise TypeError("no text")
    adopted, findings = adopt(variables, seen["release"], seen["local_domain"], names, presets())
    return adopted, [*(Finding(**one) for one in seen["findings"]), *_about_stale(seen["stale"]), *findings]


def _about_stale(services: t.Sequence[str]) -> list[Finding]:
    if not services:
        return []
    message = "It still runs with older settings than the adopted ones."
    return [TABLE.finding("adopt-differs", ", ".join(services), message)]
