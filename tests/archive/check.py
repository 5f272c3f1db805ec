# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection from a dirty checkout, look into the archive, install it, and use it from there."""

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

#: What ships is what git knows in these folders, and these files; whatever else appears was not meant to.
SHIPS_FOLDERS = {"changelogs", "docs", "examples", "meta", "playbooks", "plugins", "roles"}
SHIPS_FILES = {
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "requirements.txt",
}
STAYS = "changelogs/fragments/"
#: Written by ansible-galaxy.
OF_THE_ARCHIVE = {"FILES.json", "MANIFEST.json"}
#: What a checkout contains that somebody works in, runs playbooks from and merges in.
DIRT = [
    ".ansible/collections/x.py",
    ".idea/workspace.xml",
    ".nox/lint/bin/python",
    ".tox/lint/bin/python",
    ".vault-password",
    ".vault_pass",
    ".venv/lib/python3.11/site-packages/x.py",
    ".vscode/settings.json",
    ".work/lab/secrets.json",
    "README.md.orig",
    "README.md~",
    "ansible.cfg",
    "ansible.log",
    "ansible_collections/fediops/mastodon/galaxy.yml",
    "collections/ansible_collections/fediops/mastodon/galaxy.yml",
    "context/Containerfile",
    "fediops-mastodon-0.0.1.tar.gz",
    "group_vars/mastodon/vault.yml",
    "host_vars/social.example/mastodon_smtp_vault.yml",
    "inventory/hosts.yml",
    "inventory.ini",
    "other.tar.gz",
    "other.tar.zst",
    "playbooks/#smtp_check.yml#",
    "playbooks/smtp_rollout.retry",
    "plugins/.modules.swp",
    "plugins/modules/__pycache__/env_file.cpython-311.pyc",
    "plugins/modules/env_file.py.orig",
    "plugins/modules/env_file.py.rej",
    "plugins/modules/env_file.py~",
    "relay.env",
    "relay.pem",
    "roles/mastodon_smtp/.env",
    "rollout-report/rollout.html",
    "smtp-password.txt",
    "vault-password",
    "vault_pass.txt",
    "venv/bin/python",
]
#: A collection works when only these folders are there (Ansible's collection requirements).
NEEDED_FOLDERS = {"meta", "plugins", "roles", "playbooks"}


def run(*command: str, **env: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    # lint's own copy keeps what its tools leave in it, which is dirt as well
    checkout = Path(shutil.copytree(TREE, WORK / "checkout", symlinks=True))
    known = set(run("git", "-C", str(CHECKOUT), "ls-files", "--cached", "--others", "--exclude-standard").splitlines())
    for name in DIRT:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("dirt\n", encoding="utf-8")
    run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(WORK), str(checkout))
    (archive,) = WORK.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
    names = {member.name for member in members if not member.isdir()}
    folders = {member.name for member in members if member.isdir()}
    meant = {
        name
        for name in known & files(TREE)
        if (name.partition("/")[0] in SHIPS_FOLDERS or name in SHIPS_FILES) and not name.startswith(STAYS)
    }
    stray, missing = names - meant - OF_THE_ARCHIVE, (meant | SHIPS_FILES) - names
    empty = {name for name in folders if name.partition("/")[0] not in SHIPS_FOLDERS}
    if stray or missing or empty:
        sys.exit(f"archive: stray {sorted(stray | empty)}, missing {sorted(missing)}")

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
    print(f"archive: {len(names)} files, {size} KiB, nothing of {len(DIRT)} strays; its playbooks load")


main()
