# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The target smtp_settings through a real ansible-playbook: it passes, and the secret is in nothing that is printed."""

from __future__ import annotations

import json
from pathlib import Path

from harness import BIN, CHECKOUT, run

SECRET = "pa55-w0rd-of-the-relay"


def test_the_step_on_the_controller(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text("- hosts: localhost\n  gather_facts: false\n  roles: [smtp_settings]\n")
    variables = tmp_path / "secret.json"
    variables.write_text(json.dumps({"relay_password": SECRET}))
    done = run(
        str(BIN / "ansible-playbook"),
        *("-vvvv", "-i", "localhost,", "-e", f"@{variables}", str(play)),
        env={
            "ANSIBLE_ROLES_PATH": str(CHECKOUT / "tests" / "integration" / "targets"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".work" / "collections"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
    )
    assert done.status == 0, done.output
    assert "ok=10" in done.output and "ignored=4" in done.output, done.output
    assert SECRET not in done.output
