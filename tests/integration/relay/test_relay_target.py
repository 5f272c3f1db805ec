# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target smtp_relay_info through a real ansible-playbook, against a relay of its own on this machine."""

from __future__ import annotations

from pathlib import Path

from harness import BIN, run_target


def test_the_step_against_a_relay_on_the_host_itself(tmp_path: Path) -> None:
    done = run_target("smtp_relay_info", tmp_path, "-e", f"ansible_python_interpreter={BIN / 'python'}")
    assert done.status == 0, done.output
    assert "ok=27" in done.output and "ignored=10" in done.output, done.output
