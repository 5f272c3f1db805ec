# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the files that are named on standard input with docker-compose 1, and writes one JSON object a line."""

import json
import os
import sys

from compose.config.environment import env_vars_from_file
from compose.config.errors import ConfigurationError

for line in sys.stdin:
    try:
        found = env_vars_from_file(line.rstrip("\n"))
    except ConfigurationError:
        print("null")
        continue
    # A name alone is taken from the process, as in compose.config.config.resolve_env_var.
    print(json.dumps({name: os.environ.get(name) if value is None else value for name, value in found.items()}))
