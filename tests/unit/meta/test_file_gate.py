# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On a host, files are reached through _files/gate.py alone."""

from __future__ import annotations

import ast
import typing as t

import pytest
from patterns import PLUGINS

#: What reaches a file by its path. What only asks for its kind or its times (stat, exists) gives nothing away.
REACHES = {
    *("open", "os.open", "os.fdopen", "io.open", "os.rename", "os.replace", "os.unlink", "os.remove", "os.link"),
    *("os.symlink", "os.chmod", "os.chown", "os.utime", "os.truncate", "os.mkdir", "os.makedirs", "os.listdir"),
    *("os.scandir", "os.walk", "os.path.realpath", "shutil.copy", "shutil.copyfile", "shutil.move"),
}
#: Who may, and what.
MAY = {
    "module_utils/_files/gate.py": "it is the gate",
    "module_utils/_files/replace.py": "in the folder that the gate has opened (dir_fd)",
    "module_utils/_files/unproved.py": "in the folder that the gate has opened (dir_fd)",
    "module_utils/_files/snapshot.py": "a descriptor of the gate",
    "module_utils/_files/foresight.py": "in the folder that the gate has opened (dir_fd), and /proc/self",
    "module_utils/_instance/file_times.py": "/run/fediops.mastodon, which is root's",
    "module_utils/_instance/procfs.py": "what the kernel shows below /proc",
    "module_utils/_instance/compose/network.py": "namespaces below /proc, its own pipe and its own temporary folder",
    "module_utils/_instance/systemd/places.py": "the names in the folders of units, which are root's",
    "module_utils/_instance/sendmail.py": "/usr/sbin/sendmail, which is root's",
    "module_utils/_smtp/tls.py": "a descriptor of the gate",
}
FILES = sorted([*(PLUGINS / "module_utils").rglob("*.py"), *(PLUGINS / "modules").rglob("*.py")])


def reached(tree: ast.AST) -> t.Iterator[tuple[int, str]]:
    """The calls that reach a file, and functions that are handed on (C(map(os.path.realpath, ...)))."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            name = ast.unparse(node)
            if name in REACHES:
                yield node.lineno, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_files_are_reached_through_the_gate(path: t.Any) -> None:
    place = str(path.relative_to(PLUGINS))
    found = list(reached(ast.parse(path.read_text(encoding="utf-8"))))
    if place not in MAY:
        assert not found, f"{place} reaches files by itself; go through _files/gate.py: {found}"
    else:
        assert found, f"{place} needs no exception any more"


@pytest.mark.parametrize("name", ["replace.py", "unproved.py"])
def test_an_edit_names_its_folder_at_every_step(name: str) -> None:
    """No call of the edit looks a path up again."""
    tree = ast.parse((PLUGINS / "module_utils/_files" / name).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in REACHES - {"os.fdopen", "os.listdir"}:
            by_descriptor = any("dir_fd" in (one.arg or "") for one in node.keywords)
            first = ast.unparse(node.args[0])
            assert by_descriptor or first == "descriptor", f"line {node.lineno}: {ast.unparse(node)}"
