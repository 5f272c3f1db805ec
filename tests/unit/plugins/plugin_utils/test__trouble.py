# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a step that went wrong."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, explain
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown_lines
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import (
    is_of_test,
    problems_of,
    said,
    together,
    went_wrong,
)


def failed(*messages: str) -> dict[str, t.Any]:
    findings = [Finding("some-code", "error", "host", one, "Mend it.") for one in messages]
    return {"failed": False, "msg": explain(findings), "findings": [one.as_dict() for one in findings]}


def test_one_problem_is_one_sentence() -> None:
    assert together(problems_of(failed("no name"))) == "host: no name. Mend it. [some-code]"


def test_the_problems_of_several_steps_are_one_list_and_each_is_told_once() -> None:
    results = (failed("first", "second"), failed("second"), {"msg": "a", "findings": []})
    told = together(one for result in results for one in problems_of(result))
    assert told.splitlines() == [
        "3 problems:",
        "- host: first. Mend it. [some-code]",
        "- host: second. Mend it. [some-code]",
        "- a",
    ]


def test_what_is_no_error_is_no_problem() -> None:
    warning = Finding("some-code", "warning", "host", "It is so.").as_dict()
    assert problems_of({"msg": "The disk is full", "findings": [warning]}) == ["The disk is full"]


def test_a_step_that_broke_off_has_only_its_message() -> None:
    assert problems_of({"msg": "The file is gone", "rc": 1}) == ["The file is gone"]


ADVICE = " The modules need Python 3.9 or newer there; ansible_python_interpreter names another one."
NO_RESULT = "Module result deserialization failed: No start of json char found"


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            {"msg": NO_RESULT, "rc": 139, "module_stderr": "Segmentation fault\n"},
            "Python did not finish running the module on this host (exit status 139): Segmentation fault.",
        ),
        (  # a traceback, with what SSH adds to it
            {
                "msg": "MODULE FAILURE\nSee stdout/stderr for the exact error",
                "rc": 1,
                "module_stderr": 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n'
                "    open(PASSWORD)\nSyntaxError: invalid syntax\nShared connection to social.example closed.\n",
            },
            "Python did not finish running the module on this host (exit status 1): SyntaxError: invalid syntax.",
        ),
        (
            {"msg": NO_RESULT, "rc": 1, "module_stderr": "Fatal Python error: no codec\n\n<no Python frame>\n"},
            "Python did not finish running the module on this host (exit status 1): Fatal Python error: no codec.",
        ),
        (
            {"msg": "The module interpreter '/x' was not found.", "rc": 127, "module_stderr": ""},
            "The module interpreter '/x' was not found (exit status 127).",
        ),
        (
            {
                "msg": NO_RESULT,
                "rc": 127,
                "module_stderr": "python3: command not found\n\nNote: See 'pyenv help global' for tips.\n",
            },
            "Python did not finish running the module on this host (exit status 127): python3: command not found.",
        ),
        (
            {"msg": NO_RESULT, "rc": 1, "module_stderr": "KeyError: password=hunter2-and-more"},
            "Python did not finish running the module on this host (exit status 1): KeyError: password=[secret].",
        ),
    ],
)
def test_a_broken_python_is_said_with_its_last_words(result: dict[str, t.Any], words: str) -> None:
    assert said(result) == words + ADVICE


TMP = "/home/me/.ansible/tmp/ansible-tmp-1790000000.1-42-7/AnsiballZ_env_file.py"


@pytest.mark.parametrize(
    ("rc", "stderr", "stdout", "words", "advice"),
    [
        (
            2,
            f"/usr/bin/python3: can't open file '{TMP}': [Errno 2] No such file or directory\n",
            "",
            "The module's file disappeared from the host before Python could run it: /usr/bin/python3: can't open file",
            "ansible_remote_tmp",
        ),
        (
            1,
            "sudo: a password is required\n",
            "",
            "The host did not let Ansible become another user: sudo: a p",
            "--ask-become",
        ),
        (
            1,
            "",
            "Sorry, user me is not allowed to execute '/bin/sh -c x' as root on a.\r\n",
            "The host did not let Ansible become another user: Sorry, user me is not allowed",
            "ansible_become_password",
        ),
        (
            1,
            "[sudo] password for me: \nme is not in the sudoers file.  This incident will be reported.\n",
            "",
            "The host did not let Ansible become another user: me is not in the sudoers file. This incident",
            "ansible_become_password",
        ),
        (
            1,
            "doas: Operation not permitted\n",
            "",
            "The host did not let Ansible become another user: doas: Oper",
            "become",
        ),
        (
            1,
            "OSError: [Errno 28] No space left on device: 'x'\n",
            "",
            "The host's disk is full: OSError",
            "Free some space",
        ),
        (137, "", "", "The module was killed on this host", "memory"),
    ],
)
def test_what_kept_a_module_from_running_is_told(rc: int, stderr: str, stdout: str, words: str, advice: str) -> None:
    result = {"msg": NO_RESULT, "rc": rc, "module_stderr": stderr, "module_stdout": stdout}
    message = said(result)
    assert message.startswith(words) and advice in message and "Python 3.9" not in message


def test_a_message_is_shown_and_nothing_in_it_obeyed() -> None:
    hostile = "x\x1b[2J ##[group]y\n::stop-commands::t"
    finding = {"code": "x", "severity": "error", "subject": hostile, "message": hostile, "fix": hostile}
    results = ({"msg": hostile}, {"msg": "y", "rc": 1, "module_stderr": hostile}, {"findings": [finding]})
    told = together(one for result in results for one in problems_of(result))
    assert told == shown_lines(told) and r"\x1b[2J" in told


def test_a_step_that_broke_off_in_silence_is_trouble_too() -> None:
    """Ansible takes the text of an exception out of a result that failed_when lets end well."""
    silent = {"changed": False, "failed": False, "failed_when_suppressed_exception": "(traceback unavailable)"}
    assert went_wrong(silent) and "ANSIBLE_DISPLAY_TRACEBACK=error" in said(silent)
    assert not went_wrong({**silent, "skipped": True}) and not went_wrong({"changed": False, "findings": []})


_ARGS = "Task failed: Finalization of task args for 'fediops.mastodon.smtp_settings' failed: "


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "Task failed: 'vault_smtp_pasword' is undefined",
            "A variable of the inventory refers to vault_smtp_pasword, which is not defined for this host (",
        ),
        (
            _ARGS + "Error while resolving value for 'verify': 'nope' is undefined",
            "mastodon_smtp_verify refers to nope, which is not defined for this host (",
        ),
        (
            _ARGS + "Error while resolving value for 'set': 'nope' is undefined",
            "A variable of the inventory refers to nope, which is not defined for this host (",
        ),
        (
            _ARGS
            + "Error while resolving value for 'password': Error rendering template: Attempt to use undecryptable "
            "variable: Attempting to decrypt but no vault secrets found.",
            "mastodon_smtp_password is encrypted, and no vault password was given (Ansible names its file and line "
            "above). Add --ask-vault-pass to the command,",
        ),
        (
            "Task failed: Error rendering template: Attempt to use undecryptable variable: Decryption failed (no vault "
            "secrets were found that could decrypt).",
            "A variable of the inventory is encrypted, and the vault password that was given does not open it (",
        ),
    ],
)
def test_a_value_that_cannot_be_worked_out_is_said_with_what_to_do(message: str, words: str) -> None:
    assert said({"failed": True, "msg": message}).startswith(words)


@pytest.mark.parametrize(
    ("codes", "of_test"),
    [
        (["account-gets-no-mail"], True),
        (["queue-outcome-unknown", "account-gets-no-mail"], True),
        (["account-gets-no-mail", "login-refused"], False),
        (["login-refused"], False),
        ([], False),
    ],
)
def test_what_only_a_test_could_not_do_is_told_apart(codes: list[str], of_test: bool) -> None:
    findings = [Finding(code, "error", "host", "It is so.").as_dict() for code in codes]
    findings.append(Finding("edit-unproved", "info", "file", "It is so.").as_dict())
    assert is_of_test({"msg": "wrong", "findings": findings}) is of_test
