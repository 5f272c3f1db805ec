# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running instance -> the inventory. The module of the same name documents it, and is its part on the target."""

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
from ansible_collections.fediops.mastodon.plugins.module_utils._seal import new_key, unseal
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown_lines
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._inventory_file import (
    PREFIX,
    document,
    placeholder,
    placeholders,
    read,
    refuse_hidden,
    write_all,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import unknown

#: A file of the inventory: its path, its text, the text that is there or None, and its mode.
_File = tuple[str, str, t.Optional[str], int]


class ActionModule(HostStep):
    """The step C(smtp_adopt)."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Read on the target, write on the controller. The result holds names of variables and never a value."""
        result: dict[str, t.Any] = super(HostStep, self).run(tmp, task_vars)
        given = {name: value for name, value in self._task.args.items() if name != "variables"}
        strangers = unknown(self._task.args.get("variables") or ())
        if strangers:
            result.update(failed=True, msg=explain(strangers), findings=[one.as_dict() for one in strangers])
            return result
        key = new_key()
        seen = self.ask(task_vars, module_name="fediops.mastodon.smtp_adopt", module_args={**given, "seal": key})
        sealed = seen.pop("sealed", None)
        if sealed is None:  # failed, unreachable, or wrong options: as the module says it
            result.update(seen)
            return result
        try:
            adopted, findings = _read(seen, unseal(str(sealed), key))
        except (KeyError, RecursionError, TypeError, ValueError):
            result.update(
                failed=True, msg="The host's answer does not have the form of smtp_adopt's, and was not read."
            )
            return result
        findings = [one.shown() for one in worst_first(findings)]
        result.update(changed=False, findings=[one.as_dict() for one in findings])
        try:
            if errors(findings):
                raise FindingError(findings[0])
            result.update(self._put(adopted))
        except FindingError as refused:
            findings = worst_first([*findings, refused.finding])
            result.update(failed=True, msg=explain(findings), findings=[one.as_dict() for one in findings])
        return result

    def _put(self, adopted: Adopted) -> dict[str, t.Any]:
        """Write the files that say something else than is there, all or none."""
        options = self._task.args
        folder = os.path.realpath(os.path.expanduser(str(options["dest"])))
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
            if there is not None and not self._flag("overwrite"):
                message = f"{path} is there already and says something else."
                raise FindingError(TABLE.finding("adopt-file-exists", path, message))
        ready = [(path, self._ready(new, mode), mode) for path, new, _unused, mode in todo]
        if not self._task.check_mode:
            write_all(ready)
        names = [PREFIX + name for name in (*adopted.settings, *adopted.secrets)]
        done: dict[str, t.Any] = {
            "changed": bool(todo),
            "files": [one[0] for one in files],
            "written": [one[0] for one in todo],
            "variables": names,
            "placeholders": [] if into_vault else [placeholder(name) for name in adopted.secrets],
        }
        if self._task.diff:
            done["diff"] = [
                {
                    "before_header": path,
                    "after_header": path,
                    "before": shown_lines(old or ""),
                    "after": shown_lines(new),
                }
                for path, new, old, mode in todo
                if mode != 0o600
            ]
        return done

    def _flag(self, name: str) -> bool:
        return str(self._task.args.get(name, False)).lower() in ("true", "yes", "1", "on")

    def _present(self, path: str) -> str | None:
        """The text that is there, decrypted; None when nothing is. One that cannot be read is another text."""
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

    def _ready(self, text: str, mode: int) -> bytes:
        return self._encrypted(text) if mode == 0o600 else text.encode()

    def _encrypted(self, text: str) -> bytes:
        secrets = self._vault().secrets
        wanted = self._task.args.get("vault_id") or C.config.get_config_value("DEFAULT_VAULT_ENCRYPT_IDENTITY")
        if not secrets:
            raise FindingError(TABLE.finding("adopt-no-vault", "vault", "There is no vault password."))
        try:
            vault_id, secret = match_encrypt_secret(secrets, encrypt_vault_id=wanted)
            encrypted: bytes = self._vault().encrypt(text, secret, vault_id)
        except AnsibleError:
            known = ", ".join(str(one) for one, _unused in secrets)
            message = f"There is no vault ID {wanted}; given were: {known}."
            raise FindingError(TABLE.finding("adopt-no-vault", "vault_id", message)) from None
        if not is_encrypted(encrypted):
            raise AnsibleActionFail("Ansible Vault did not encrypt; nothing was written.")
        return encrypted


def _read(seen: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> tuple[Adopted, list[Finding]]:
    """What is adopted, and all there is to say about it. KeyError, TypeError, ValueError: no module answered that."""
    texts = [*variables, *variables.values(), seen["release"], seen["local_domain"], *seen["stale"]]
    if not all(isinstance(one, str) for one in texts):
        raise TypeError("no text")
    adopted, findings = adopt(variables, seen["release"], seen["local_domain"])
    return adopted, [*(Finding(**one) for one in seen["findings"]), *_about_stale(seen["stale"]), *findings]


def _about_stale(services: t.Sequence[str]) -> list[Finding]:
    if not services:
        return []
    message = "It still runs on older settings than those that were adopted."
    return [TABLE.finding("adopt-differs", ", ".join(services), message)]
