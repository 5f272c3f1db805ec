# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-doc shows of the modules and plugins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.cli.doc import DocCLI

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
FILES = sorted(
    path for kind in ("modules", "lookup", "callback", "doc_fragments") for path in PLUGINS.glob(f"{kind}/*.py")
)
#: What ansible-doc takes for markup of reStructuredText, and removes or replaces (DocCLI.tty_ify).
MARKUP = (DocCLI._RST_NOTE, DocCLI._RST_SEEALSO, DocCLI._RST_ROLES, DocCLI._RST_DIRECTIVES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_ansible_doc_shows_every_line_as_it_is(path: Path) -> None:
    """The directive ".. name::" is a pattern with two wildcards there, so "x: Net::Error" loses its beginning."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if any(pattern.search(line) for pattern in MARKUP)] == []


def test_every_module_says_which_option_a_message_means_and_who_wrote_it() -> None:
    command = [sys.executable, "-m", "ansible.cli.doc", "--json", *(f"fediops.mastodon.{name}" for name in MODULES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)
    assert len(shown) == len(MODULES)
    for name, page in shown.items():
        assert any("mastodon_smtp_tls" in note for note in page["doc"]["notes"]), name
        assert page["doc"]["version_added"] and "(@fediops)" in page["doc"]["author"][0], name
