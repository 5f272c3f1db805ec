# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: dotenv
short_description: Read a secret from a .env file on the controller
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Reads variables from a C(.env) file on the controller, as python-dotenv understands it. It is one way to hand over a
    secret that is not in a vault, besides the environment.
  - Nothing is put into the environment, and no other file is read.
  - The file may be encrypted with Ansible Vault.
requirements:
  - python-dotenv 1.0 or newer, on the controller
options:
  _terms:
    description: Names of variables.
    type: list
    elements: str
    required: true
  file:
    description:
      - The file. A relative path is searched in the folder C(files) beside the playbook or the role, and beside the
        playbook itself.
    type: str
    default: .env
    env:
      - name: MASTODON_DOTENV_FILE
  interpolate:
    description:
      - Whether C(${NAME}) in a value is replaced by that variable's value. Off, so that a password with a V($) stays
        what it is.
    type: bool
    default: false
  default:
    description: What to return for a variable that is not in the file. Without it, that is an error.
    type: raw
notes:
  - A file that others can read is warned of.
seealso:
  - plugin: ansible.builtin.env
    plugin_type: lookup
"""

EXAMPLES = r"""
# group_vars/mastodon.yml: the password is in a file that is in no repository
mastodon_smtp_password: "{{ lookup('fediops.mastodon.dotenv', 'RELAY_PASSWORD', file='~/.config/relay.env') }}"

# the same file for every lookup, by MASTODON_DOTENV_FILE
mastodon_smtp_login: "{{ lookup('fediops.mastodon.dotenv', 'RELAY_LOGIN', default='postmaster@social.example') }}"
"""

RETURN = r"""
_raw:
  description: The values, in the order of the names.
  type: list
  elements: str
"""

import io
import os
import stat
import sys
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.fediops.mastodon.plugins.plugin_utils._core import text_of

try:
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream
except ImportError:
    HAS_DOTENV = False
else:
    HAS_DOTENV = True

#: Means "no default was given", since None is a valid default.
NOTHING: t.Any = object()


class LookupModule(LookupBase):
    """Finds and reads the file; python-dotenv parses it."""

    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        self.set_options(var_options=variables, direct=kwargs)
        if not HAS_DOTENV:
            raise AnsibleLookupError(
                "The lookup fediops.mastodon.dotenv needs the package python-dotenv, which the Python of this "
                f"ansible-playbook ({sys.executable}, on this machine) lacks. "
                f"Run: {sys.executable} -m pip install python-dotenv"
            )
        path = self._path(variables)
        text = text_of(self._loader, path)
        broken = line_of_nonsense(text)
        if broken:
            # Never show the line itself: it may hold a secret.
            raise AnsibleLookupError(
                f"{path}, line {broken}: this is not NAME=value. Correct it, or put a # before it."
            )
        found = dotenv_values(stream=io.StringIO(text), interpolate=self.get_option("interpolate"))
        default = self.get_option("default") if "default" in kwargs else NOTHING
        return [value_of(str(name), found, path, default) for name in terms]

    def _path(self, variables: t.Any) -> str:
        given = os.path.expanduser(str(self.get_option("file")))
        path = self.find_file_in_search_path(variables, "files", given, ignore_missing=True)
        if not path:
            raise AnsibleLookupError(
                f"The file {given} does not exist here. Set its path with file, or in the variable "
                "MASTODON_DOTENV_FILE."
            )
        if os.stat(path).st_mode & (stat.S_IRGRP | stat.S_IROTH):
            Display().warning(f"{path} can be read by others on this machine: chmod 600 {path}")
        return str(path)


def line_of_nonsense(text: str) -> int:
    """The number of the first line that python-dotenv would skip with only a log message; 0 if there is none."""
    return next((one.original.line for one in parse_stream(io.StringIO(text)) if one.error), 0)


def value_of(name: str, found: t.Mapping[str, str | None], path: str, default: t.Any) -> t.Any:
    """The value of a variable, or the default; raises an error if there is neither."""
    value = found.get(name)
    if value is not None:
        return value
    if default is not NOTHING:
        return default
    why = "has no value there" if name in found else "is not there"
    raise AnsibleLookupError(f"{path}: {name} {why}. Add the line {name}=..., or give the lookup a default.")
