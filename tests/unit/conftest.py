# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets plain pytest import the collection by its Ansible name."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTIONS = CHECKOUT / ".work" / "collections"

if not any(parent.name == "ansible_collections" for parent in Path(__file__).absolute().parents):
    if not (COLLECTIONS / "ansible_collections" / "fediops" / "mastodon").is_dir():
        raise RuntimeError("run script/bootstrap once: it makes the folders in which Python finds the collection")
    sys.path.insert(0, str(COLLECTIONS))
