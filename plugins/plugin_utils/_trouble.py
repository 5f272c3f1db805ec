# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong in a step, in sentences: from its findings, or from what Ansible and the host reported instead."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.redact import one_line, redact
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, ended
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.queue import OF_TEST
from ansible_collections.fediops.mastodon.plugins.module_utils._text import bounded, shown_lines
from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import PREFIX, known

#: Lines of a module's error output without information: blank, indented (traceback), noise of Python, SSH and sudo.
_SMALL_TALK = re.compile(
    r"\s|$|<no Python frame>|Current thread|Thread 0x|Extension modules:|Shared connection to|\[sudo\]|"
    r"sudo: unable to resolve host|su: warning"
)
_PYTHON_ADVICE = "The modules need Python 3.9 or newer there; ansible_python_interpreter names another one."
#: What kept a module from running: the start of a line of its error output, a text in that line, the meaning, the fix.
#: sudo, su and doas prefix their own messages with their names; sudo's policy plugin does not.
_KEPT_FROM_RUNNING: tuple[tuple[re.Pattern[str], str, str, str], ...] = (
    (
        re.compile(r"[^:]{1,200}: can't open file"),
        "No such file",
        "The module's file disappeared from the host before Python could run it",
        "Check what removes files from Ansible's temporary folder there (ansible_remote_tmp, by default "
        "~/.ansible/tmp) and whether the disk is full, then run again.",
    ),
    (
        re.compile(
            r"(?:sudo|su|doas|pfexec|dzdo)(?:\[\d+\])?: |[\w.@-]{1,64} is not in the sudoers file|Sorry, (?:user|try)"
        ),
        "",
        "The host did not let Ansible become another user",
        "Give the password with --ask-become-pass or ansible_become_password, or allow the user to become root "
        "there without one.",
    ),
    (
        re.compile(""),
        "No space left on device",
        "The host's disk is full",
        "Free some space where Ansible keeps its temporary files there (ansible_remote_tmp), then run again.",
    ),
)
#: Exit statuses of a killed process, as Ansible reports it and as a shell in between does.
_KILLED = (-9, 137)
#: Exit statuses of a shell that could not start a program.
_NOT_STARTED = (126, 127)
#: Ansible's message when a module's output is not a result.
_NO_RESULT = re.compile(r"Module result deserialization failed.*|MODULE FAILURE.*", re.DOTALL)
#: Captures the option that Ansible was templating; the role's variables are named like the options.
_OPTION = re.compile(r"Error while resolving value for '(\w+)'")
_PLACE = " (Ansible names its file and line above)"
#: Ansible's message about a value that cannot be templated, what it means, and the fix.
_UNWORKABLE: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile("no vault secrets found"),
        "is encrypted, and no vault password was given",
        "Add --ask-vault-pass to the command, or --vault-password-file with a file that holds it.",
    ),
    (
        re.compile("undecryptable|Decryption failed|could not be decrypted"),
        "is encrypted, and the vault password that was given does not open it",
        "Give the one that it was encrypted with; for several passwords, use several --vault-id.",
    ),
    (
        re.compile(r"'(\w+)' is undefined"),
        "refers to {0}, which is not defined for this host",
        "Correct the name, or define it, for instance in a vault of the host or of one of its groups.",
    ),
)
#: Set by Ansible when failed_when turned an exception of a step into success; it does not have the error's text.
_SUPPRESSED = "failed_when_suppressed_exception"


def problems_of(result: t.Mapping[str, t.Any]) -> list[str]:
    """The problems of a failed step, one sentence each: its errors, else the message of the step or of Ansible."""
    errors = [Finding(**one) for one in result.get("findings") or () if one.get("severity") == "error"]
    return [one.shown().sentence() for one in errors] or [said(result)]


def together(problems: t.Iterable[str]) -> str:
    """One message for several problems, without duplicates."""
    told = list(dict.fromkeys(problems))
    return told[0] if len(told) == 1 else f"{len(told)} problems:\n" + "\n".join(f"- {one}" for one in told)


def is_of_test(result: t.Mapping[str, t.Any]) -> bool:
    """Whether a step failed only because its test could not be made, which says nothing about the mail."""
    errors = {one.get("code") for one in result.get("findings") or () if one.get("severity") == "error"}
    return bool(errors) and errors <= OF_TEST


def went_wrong(result: t.Mapping[str, t.Any]) -> bool:
    """Whether a step failed. A skipped step did not, though it may have a message."""
    return bool(result.get("msg") or result.get(_SUPPRESSED)) and not result.get("skipped")


def said(result: t.Mapping[str, t.Any]) -> str:
    """The message of a failed step; where the module could not answer, with the likely cause."""
    return shown_lines(_said(result))


def _said(result: t.Mapping[str, t.Any]) -> str:
    message = bounded(str(result.get("msg") or ""))
    if not message:
        return (
            "The step failed without an error message. Run it again with -vvv and ANSIBLE_DISPLAY_TRACEBACK=error in "
            "the environment, and check Python on the host."
        )
    if "module_stderr" not in result:
        return _about_template(message)
    refusal = _kept_from_running(result)
    if refusal:
        return refusal
    lines = [one for one in bounded(str(result["module_stderr"])).splitlines() if not _SMALL_TALK.match(one)]
    # A traceback ends with its cause; the output of a shell that cannot start a program begins with it.
    cause = lines[0 if result.get("rc") in _NOT_STARTED else -1] if lines else ""
    last = one_line(redact(cause))
    first = "Python did not finish running the module on this host" if _NO_RESULT.fullmatch(message) else message
    code = f" (exit status {result['rc']})" if "rc" in result else ""
    told = f"{first.rstrip('.')}{code}{f': {last}' if last and last not in message else ''}"
    return f"{ended(told)} {_PYTHON_ADVICE}"


def _kept_from_running(result: t.Mapping[str, t.Any]) -> str:
    """Why the module did not run although Python works, and the fix; empty when the cause is unknown."""
    output = bounded("\n".join(str(result.get(name) or "") for name in ("module_stderr", "module_stdout")))
    for line in map(str.strip, output.splitlines()):
        for sign, word, what, advice in () if _SMALL_TALK.match(line) else _KEPT_FROM_RUNNING:
            if sign.match(line) and word in line:
                return f"{what}: {ended(one_line(redact(line)))} {advice}"
    if result.get("rc") in _KILLED:
        return (
            "The module was killed on this host (exit status 137). Check the host's kernel log (journalctl -k) for "
            "an out-of-memory kill, then run again."
        )
    return ""


def _about_template(message: str) -> str:
    """Ansible's message about a value that cannot be templated, rewritten with a fix; any other message unchanged."""
    where = _OPTION.search(message)
    name = PREFIX + where[1] if where and where[1] in known() else "A variable of the inventory"
    what, fix = unworkable(message)
    return f"{name} {what}{_PLACE}. {fix}" if what else message


def unworkable(message: str) -> tuple[str, str]:
    """Why a value cannot be templated, as words that follow its name, and the fix; both empty for other messages.

    :param message: Ansible's message.
    """
    for sign, what, fix in _UNWORKABLE:
        found = sign.search(message)
        if found:
            return what.format(*found.groups()), fix
    return "", ""
