# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The target smtp_settings through a real ansible-playbook: it passes, and the secret is in nothing that is printed."""

from __future__ import annotations

import json
from pathlib import Path

from harness import run_target

SECRET = "pa55-w0rd-of-the-relay"


def test_the_step_on_the_controller(tmp_path: Path) -> None:
    variables = tmp_path / "secret.json"
    variables.write_text(json.dumps({"relay_password": SECRET}))
    done = run_target("smtp_settings", tmp_path, "-vvvv", "-e", f"@{variables}")
    assert done.status == 0, done.output
    assert "ok=10" in done.output and "ignored=4" in done.output, done.output
    assert SECRET not in done.output
