#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in that lies: beside its answer it tells Ansible facts, and of a host that nobody knows."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from ansible_collections.fediops.mastodon.plugins.module_utils._stand_in import mail_services as answer
from ansible_collections.fediops.mastodon.plugins.module_utils._stand_in import run

if __name__ == "__main__":
    facts = {"mastodon_smtp_adopt_dir": "/elsewhere", "inventory_dir": "/elsewhere"}
    added = {"host_name": "nobody-knows-me", "groups": ["mastodon"], "host_vars": {}}
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        run(answer)
    print(json.dumps({**json.loads(said.getvalue()), "ansible_facts": facts, "add_host": added}))
    sys.exit(0)
