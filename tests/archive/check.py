# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection from what git knows, look into the archive, install it, and use it from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WORK = CHECKOUT / ".work" / "archive"
TREE = CHECKOUT / ".work" / "lint" / "ansible_collections" / "fediops" / "mastodon"

#: Everything in the archive lies here or is one of these files: whatever else appears was not meant to ship.
SHIPS_FOLDERS = {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
SHIPS_FILES = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "requirements.txt",
}
#: A collection works when only these folders are there (Ansible's collection requirements).
NEEDED_FOLDERS = {"meta", "plugins", "roles", "playbooks"}


def run(*command: str, **env: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(WORK), str(TREE))
    (archive,) = WORK.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = [member.name for member in opened.getmembers() if member.isfile()]
    stray = [
        name
        for name in names
        if (name.split("/")[0] not in SHIPS_FOLDERS and name not in SHIPS_FILES) or "__pycache__" in name
    ]
    missing = (SHIPS_FILES | {f"{folder}/" for folder in NEEDED_FOLDERS}) - {
        name if "/" not in name else f"{name.split('/')[0]}/" for name in names
    }
    if stray or missing:
        sys.exit(f"archive: stray {stray}, missing {sorted(missing)}")

    installed = WORK / "installed"
    run("ansible-galaxy", "collection", "install", "--offline", "--force", "-p", str(installed), str(archive))
    home = installed / "ansible_collections" / "fediops" / "mastodon"
    for entry in home.iterdir():
        if entry.is_dir() and entry.name not in NEEDED_FOLDERS:
            shutil.rmtree(entry)
    for playbook in sorted(path.stem for path in (home / "playbooks").glob("*.yml")):
        run(
            "ansible-playbook",
            "--syntax-check",
            "-i",
            "localhost,",
            f"fediops.mastodon.{playbook}",
            ANSIBLE_COLLECTIONS_PATH=str(installed),
        )
    size = archive.stat().st_size // 1024
    print(f"archive: {len(names)} files, {size} KiB, nothing stray; its playbooks load from meta, plugins, roles alone")


main()
