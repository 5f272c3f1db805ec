# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input and failing steps, end to end: a clear cause, nothing lost, nothing half done."""

from __future__ import annotations

import re

import pytest
from harness import ENV_FILE, Lab, Run

#: What an error must never look like.
UGLY = re.compile(r"Traceback|MODULE FAILURE|UNREACHABLE|is undefined|object has no attribute|AnsibleUndefined")


def state(lab: Lab) -> dict[str, tuple[str, dict[str, str]]]:
    return {host: (lab.checksum(host), lab.processes(host)) for host in lab.hosts}


def failed_clearly(done: Run, *words: str) -> None:
    assert done.status != 0, done.output
    assert not UGLY.search(done.output), done.output
    # Ansible wraps long lines; compare without line breaks
    flat = " ".join(done.output.split())
    for word in words:
        assert word in flat, f"{word!r} not in:\n{done.output}"


def test_settings_that_contradict_each_other_are_all_named_before_any_host_is_touched(fresh_lab: Lab) -> None:
    before = state(fresh_lab)
    done = fresh_lab.rollout(mastodon_smtp_port=465, mastodon_smtp_tls="starttls", mastodon_smtp_login="")
    failed_clearly(done, "465", "mastodon_smtp_tls", "mastodon_smtp_login", "masto1", "masto2")
    assert state(fresh_lab) == before


def test_one_wrong_host_keeps_the_others_untouched(fresh_lab: Lab) -> None:
    before = state(fresh_lab)
    wrong = "{{ 465 if inventory_hostname == 'masto2' else 587 }}"
    done = fresh_lab.rollout(mastodon_smtp_port=wrong, mastodon_smtp_tls="starttls")
    failed_clearly(done, "Preflight did not pass on masto2", "Nothing has been changed on any host")
    assert state(fresh_lab) == before


def test_a_host_without_mastodon_is_named(lab: Lab) -> None:
    done = lab.rollout(mastodon_smtp_hosts="relay")
    failed_clearly(done, "relay", "No Mastodon was found here", "mastodon_smtp_app_dir")


def test_a_password_that_the_relay_refuses_is_found_before_the_edit(fresh_lab: Lab) -> None:
    before = state(fresh_lab)
    done = fresh_lab.rollout(mastodon_smtp_password="not-the-password-1234")
    failed_clearly(done, "535", "mastodon_smtp_password", "[login-refused]")
    assert "not-the-password-1234" not in re.sub(r"-e .*", "", done.output)
    assert state(fresh_lab) == before


def test_a_refused_login_found_by_rails_puts_the_file_back_and_restarts_nothing(fresh_lab: Lab) -> None:
    before = state(fresh_lab)
    done = fresh_lab.rollout(mastodon_smtp_password="not-the-password-1234", mastodon_smtp_check_relay=False)
    failed_clearly(done, "535", "mastodon_smtp_password", "put back byte for byte", "masto2")
    # the canary failed: the other host was never begun, and no running process has seen the bad settings
    assert state(fresh_lab) == before


def test_a_rails_that_does_not_boot_is_told_by_its_error(fresh_lab: Lab) -> None:
    broken = "/home/mastodon/live/config/initializers/zz_broken.rb"
    fresh_lab.ssh("masto1", f"echo 'raise NotImplementedError, \"broken on purpose\"' > {broken}")
    try:
        before = state(fresh_lab)
        done = fresh_lab.rollout("--limit", "masto1")
        failed_clearly(done, "broken on purpose", "put back byte for byte")
        assert state(fresh_lab) == before
    finally:
        fresh_lab.ssh("masto1", f"rm -f {broken}")


def test_a_service_that_crashes_in_a_loop_brings_everything_back(fresh_lab: Lab) -> None:
    # Fails only on the new settings, as a bad value does that only the long-running process trips over.
    folder = "/etc/systemd/system/mastodon-sidekiq.service.d"
    relay = fresh_lab.variables["masto1"]["mastodon_smtp_host"]
    unit = f"[Service]\\nExecStartPre=/bin/sh -c '! grep -q SMTP_SERVER={relay} {ENV_FILE}'\\nRestartSec=1\\n"
    fresh_lab.ssh("masto1", f'mkdir -p {folder} && printf "{unit}" > {folder}/crash.conf && systemctl daemon-reload')
    try:
        before = fresh_lab.checksum("masto1")
        done = fresh_lab.rollout("--limit", "masto1", mastodon_smtp_service_timeout=40)
        failed_clearly(done, "mastodon-sidekiq", "put back byte for byte", "the services run on it again")
        assert fresh_lab.checksum("masto1") == before
        states = fresh_lab.ssh("masto1", "systemctl is-active mastodon-web mastodon-sidekiq mastodon-streaming")
        assert states.split() == ["active"] * 3
    finally:
        fresh_lab.ssh("masto1", f"rm -rf {folder} && systemctl daemon-reload")


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        ("mv {f} {f}.away", "[env-file-missing]"),
        ("mv {f} {f}.away && mkdir {f}", "[env-file-not-a-file]"),
        ("mv {f} {f}.away && ln -s nowhere {f}", "[env-file-dangling-link]"),
        ("cp -p {f} {f}.away && printf 'X=\\377\\n' >> {f}", "[env-file-not-utf8]"),
    ],
    ids=["missing", "a-folder", "dangling-link", "not-utf8"],
)
def test_an_environment_file_that_cannot_be_edited_is_named(lab: Lab, break_it: str, code: str) -> None:
    away = f"{ENV_FILE}.away"
    lab.ssh("masto2", break_it.format(f=ENV_FILE))
    try:
        done = lab.rollout("--limit", "masto2")
        failed_clearly(done, ENV_FILE, code)
    finally:
        lab.ssh("masto2", f"rm -rf {ENV_FILE}; mv {away} {ENV_FILE}")


@pytest.mark.parametrize(
    "change",
    [
        ": > {f}",
        "truncate -s -1 {f}",
        "sed -i 's/$/\\r/' {f}",
        "mv {f} /home/mastodon/env-elsewhere && ln -s /home/mastodon/env-elsewhere {f}",
    ],
    ids=["empty", "no-final-newline", "crlf", "symlink"],
)
def test_odd_but_usable_environment_files_are_edited(fresh_lab: Lab, change: str) -> None:
    fresh_lab.ssh("masto2", f"cp -p {ENV_FILE} /root/env-first; " + change.format(f=ENV_FILE))
    kind = fresh_lab.ssh("masto2", f"stat -c '%F %U %a' {ENV_FILE}")
    done = fresh_lab.rollout("--limit", "masto2", "--check", "--diff", mastodon_smtp_check_dns=False)
    if change.startswith(":"):
        # without its database and keys the application itself cannot boot; the file is still editable
        assert "would be edited" in done.output or "Rails" in done.output
    else:
        assert done.status == 0, done.output
    planned = fresh_lab.variables["masto2"]
    result = fresh_lab.module(
        "masto2", "env_file", {"path": ENV_FILE, "set": {"SMTP_SERVER": planned["mastodon_smtp_host"]}}
    )
    assert not result["failed"], result
    assert fresh_lab.ssh("masto2", f"stat -c '%F %U %a' {ENV_FILE}") == kind
    fresh_lab.ssh("masto2", f"rm -f {ENV_FILE} /home/mastodon/env-elsewhere; cp -p /root/env-first {ENV_FILE}")


def test_without_root_the_way_out_is_named(lab: Lab) -> None:
    done = lab.rollout("--limit", "masto2", ansible_become=False, ansible_user="mastodon")
    failed_clearly(done, "become")
