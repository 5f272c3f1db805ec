# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout at the highest verbosity, with all shown and kept that Ansible can show and keep; every word of it is
searched for the passwords of the hosts."""

from __future__ import annotations

import shutil

from harness import CHECKOUT, ENV_FILE, Lab, Run
from secret_search import assert_hidden

#: Where the password belongs.
ALLOWED = {ENV_FILE, f"{ENV_FILE}.last-smtp", f"{ENV_FILE}.before-smtp"}


def logged(lab: Lab, *arguments: str, result_format: str = "yaml") -> Run:
    """smtp_rollout with -vvvv; fails when a password stands in what it printed, logged, cached or reported."""
    kept = CHECKOUT / ".work" / "leaks"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    settings = {
        "ANSIBLE_LOG_PATH": str(kept / "log"),
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
        "ANSIBLE_DISPLAY_OK_HOSTS": "1",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",  # so each banner comes when the arguments are worked out
        "ANSIBLE_CALLBACK_RESULT_FORMAT": result_format,
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(kept / "facts"),
        "ANSIBLE_CALLBACKS_ENABLED": "fediops.mastodon.rollout_report",
        "MASTODON_ROLLOUT_REPORT_DIRECTORY": str(kept / "report"),
    }
    done = lab.rollout("-vvvv", *arguments, env=settings)
    texts = {str(path.relative_to(kept)): path.read_text() for path in kept.rglob("*") if path.is_file()}
    assert {"log", "report/rollout.json"} <= set(texts)
    for host in lab.hosts:
        assert_hidden(lab.password(host), {"the output": done.output, **texts}, f"{host}'s")
    return done


def nowhere_else(lab: Lab) -> None:
    """Fails when a host has its password in a file, a command line or its journal, where it does not belong."""
    for host in lab.hosts:
        places = lab.places_of(host, lab.password(host))
        assert set(places) <= ALLOWED, places
