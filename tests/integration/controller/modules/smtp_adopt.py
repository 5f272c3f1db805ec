#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the module of this name: settings as they would be found, without an instance behind them."""

from __future__ import annotations

import json
import sys

from ansible.module_utils import basic

from ansible_collections.fediops.mastodon.plugins.module_utils._seal import seal

if __name__ == "__main__":
    mail = {
        "SMTP_SERVER": "smtp.relay.example",
        "SMTP_PORT": "587",
        "SMTP_LOGIN": "social@relay.example",
        "SMTP_PASSWORD": "the-password-in-use",
        "SMTP_FROM_ADDRESS": "notifications@social.example",
    }
    sealed = seal(mail, basic._load_params()["seal"])
    known = {
        "release": "4.5.3",
        "local_domain": "social.example",
        "stale": [],
        "mail_variables": list(mail),
        "findings": [],
    }
    print(json.dumps({"changed": False, "sealed": sealed, **known}))
    sys.exit(0)
