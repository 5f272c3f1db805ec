# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scripts that write a page of docs/ have in common."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def write_or_check(page: Path, text: str, script: str, usage: str | None) -> int:
    """The whole command: write the page, or with --check say whether it is current; the exit status."""
    arguments = sys.argv[1:]
    if arguments == ["--check"]:
        if page.exists() and page.read_text(encoding="utf-8") == text:
            return 0
        print(f"docs/{page.name} is stale: run script/{script}", file=sys.stderr)
        return 1
    if arguments:
        print(usage, file=sys.stderr)
        return 2
    page.write_text(text, encoding="utf-8")
    return 0


def prose(text: str) -> str:
    """Ansible's markup as Markdown, fit for a cell of a table."""
    plain = re.sub(r"\b(?:[OVMCP]|RV)\(([^)#]*)(?:#\w+)?\)", r"`\1`", " ".join(text.split()))
    return re.sub(r"(?<!`)<([^>`]*)>", r"`<\1>`", plain).replace("|", "\\|")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
