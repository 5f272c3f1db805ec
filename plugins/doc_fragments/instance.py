# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hints about an instance that several modules take."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  deployment:
    description:
      - How the instance is run. Found by itself when it is not given.
      - V(systemd) is a source install whose web and Sidekiq run as systemd services.
    type: str
    choices: [systemd]
  app_dir:
    description:
      - The directory that holds Mastodon, usually C(/home/mastodon/live).
      - Found through the systemd units when it is not given. Needed where a host runs more than one instance.
    type: path
  user:
    description:
      - The user that Mastodon runs as.
      - Taken from the unit of the web service when it is not given.
    type: str
  env_file:
    description:
      - The file that holds the mail variables.
      - When it is not given, it is C(.env.production) in the app directory. A symbolic link is followed.
    type: path
  services:
    description:
      - The services of the instance, where they cannot be found by themselves. These and no others are used then.
      - A name without a suffix is a service unit.
    type: list
    elements: str
"""
