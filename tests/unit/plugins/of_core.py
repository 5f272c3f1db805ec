# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests take from ansible-core, under the names that it has had since 2.19."""

from __future__ import annotations

import contextlib
import json
import typing as t
import unittest.mock

from ansible.module_utils import basic
from ansible.plugins.action import ActionBase

try:
    from ansible.module_utils.testing import patch_module_args
    from ansible.template import trust_as_template
except ImportError:  # before 2.19, where a template needs no mark

    def trust_as_template(value: str) -> str:
        """The text itself."""
        return value

    @contextlib.contextmanager
    def patch_module_args(args: dict[str, t.Any] | None = None) -> t.Iterator[None]:
        """Give the next module these arguments."""
        given = json.dumps({"ANSIBLE_MODULE_ARGS": args or {}}).encode()
        with unittest.mock.patch.object(basic, "_ANSIBLE_ARGS", given):
            yield


#: Whether an action can hide an option from ansible-core: since 2.19.
HIDES_OPTIONS = hasattr(ActionBase, "finalize_task_arg")
#: The variables that every task has: before 2.19, omit is one of them.
ALWAYS = {} if HIDES_OPTIONS else {"omit": "__omit_place_holder__d1ce"}

__all__ = ["ALWAYS", "HIDES_OPTIONS", "patch_module_args", "trust_as_template"]
