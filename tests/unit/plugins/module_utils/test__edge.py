# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import json
import sys

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils import _edge


def test_a_python_that_is_too_old_is_named_before_anything_of_it_can_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 18, "final", 0))
    with pytest.raises(SystemExit) as ended:
        importlib.reload(_edge)
    said = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1 and said["failed"] is True
    assert sys.executable in said["msg"] and "ansible_python_interpreter" in said["msg"]
