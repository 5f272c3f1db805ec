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
      - V(systemd) is a source install whose web and Sidekiq run as systemd services. Services that each run a container
        with C(docker run --env-file) count as well.
      - V(compose) is a project of Docker Compose 2 whose web and Sidekiq run as containers.
    type: str
    choices: [systemd, compose]
  app_dir:
    description:
      - The directory that holds Mastodon, usually C(/home/mastodon/live). With Docker Compose, the project's directory,
        which holds the Compose file. With systemd services that run containers, the directory of the environment file.
      - Found through the systemd units or the labels of the containers when it is not given. Needed where a host runs
        more than one instance.
    type: path
  user:
    description:
      - The user that Mastodon runs as.
      - Taken from the unit of the web service, or the container of the Sidekiq service, when it is not given.
      - Where no unit of the system is found, the units of this user's own systemd (C(systemctl --user)) are searched.
        Without this option, they are searched only if the task runs as that user. The user must own the app directory,
        and linger (C(loginctl enable-linger)).
    type: str
  env_file:
    description:
      - The file that holds the mail variables.
      - When it is not given, it is C(.env.production) in the app directory. A symbolic link is followed.
      - With Docker Compose, it is the C(env_file) of the web and Sidekiq services that sets the mail variables.
    type: path
  services:
    description:
      - The services of the instance, where they cannot be found by themselves. These and no others are used then.
      - On a host that runs web or Sidekiq only, naming it says so. It is also found by itself, when the units of the
        other one do not exist, are masked, or are stopped and not enabled.
      - A name without a suffix is a service unit. With Docker Compose, they are the names in the Compose file.
    type: list
    elements: str
  project:
    description:
      - The name of the Compose project. Needed where several projects run Mastodon from one directory.
      - Implies O(deployment=compose) when no deployment is given.
    type: str
"""
