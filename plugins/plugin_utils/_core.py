# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between the releases of ansible-core that this collection runs on: 2.16 to the newest.

Ansible 2.19 brought data tagging, and with it other names. Nothing else of the collection asks for the release.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

try:
    from ansible.errors import AnsibleValueOmittedError as Omitted
except ImportError:  # before 2.19

    class Omitted(AnsibleError):  # type: ignore[no-redef]
        """A template's value is C(omit)."""


#: Whether an action can keep ansible-core from working out an option before the action begins.
HIDES_OPTIONS = hasattr(ActionBase, "finalize_task_arg")


def worked_out(templar: t.Any, value: t.Any) -> t.Any:
    """The value of a template.

    :raises Omitted: it is C(omit).
    :raises AnsibleError: it cannot be worked out.
    """
    found = templar.template(value)
    if _is_omit(templar, found):
        raise Omitted("Value was omitted.")
    return found


def _is_omit(templar: t.Any, value: t.Any) -> bool:
    """Whether it is the text that means C(omit) before 2.19; no other value can be equal to it."""
    return isinstance(value, str) and value == templar.available_variables.get("omit")


def final(templar: t.Any, value: t.Any) -> t.Any:
    """The value of an option that its action does not let ansible-core work out, which it can since 2.19.

    Before, the value is worked out already. To do so again would take a password with braces in it for a template.

    :raises Omitted: as C(worked_out).
    """
    if HIDES_OPTIONS:
        return worked_out(templar, value)
    if _is_omit(templar, value):
        raise Omitted("Value was omitted.")
    return value


def text_of(loader: t.Any, path: str) -> str:
    """The text of a file of the controller, decrypted if it is in a vault."""
    if hasattr(loader, "get_text_file_contents"):
        return str(loader.get_text_file_contents(path))
    content, _shown = loader._get_file_contents(path)  # before 2.19
    return bytes(content).decode("utf-8")


class Ended:
    """The end of a task as a callback is told of it.

    :ivar result: what the task returned.
    """

    def __init__(self, told: t.Any) -> None:
        old = not hasattr(told, "result")
        self.host: str = str((told._host if old else told.host).get_name())
        self.task: t.Any = told._task if old else told.task
        self.result: dict[str, t.Any] = told._result if old else told.result
