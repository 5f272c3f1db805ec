# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the files that are named on standard input with python-dotenv, and writes one JSON object a line."""

import json
import logging
import sys

from dotenv import dotenv_values

logging.disable(logging.CRITICAL)

for line in sys.stdin:
    print(json.dumps(dotenv_values(line.rstrip("\n"), encoding="utf-8")))
