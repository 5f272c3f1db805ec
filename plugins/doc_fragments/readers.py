# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that read an environment file, named by several modules."""

from __future__ import annotations


class ModuleDocFragment:
    #: For a module that is told who reads the file.
    DOCUMENTATION = r"""
options:
  readers:
    description:
      - The programs that read this file. Each value must be read exactly by all of them, in all their versions in use.
      - V(ruby) is the dotenv gem (Mastodon itself, on a source install), V(node) is npm dotenv (the streaming server),
        V(compose) is Docker Compose v2, V(python_dotenv) is podman-compose and docker-compose v1 from 1.26 on,
        V(systemd) is C(EnvironmentFile=), V(sh) is a shell that sources the file, V(raw) is C(docker run --env-file),
        docker-compose v1 up to 1.25, and C(format=raw) in a Compose file.
      - V(ruby-2.8) and the like are the dotenv gem in the one version that reads this file, which
        M(fediops.mastodon.instance_info) knows from Mastodon's C(Gemfile.lock). The other versions need not accept the
        file; they still read what is written, since Mastodon may be upgraded.
      - List only those that actually read the file; each additional one restricts the possible passwords.
    type: list
    elements: str
    choices:
      - ruby
      - node
      - compose
      - python_dotenv
      - systemd
      - sh
      - raw
      - ruby-2.4
      - ruby-2.7
      - ruby-2.8
      - ruby-3.0-3.1.4
      - ruby-3.1.5-3.1.8
      - ruby-3.2
    default: [ruby, node, compose]
"""

    #: For a module that finds them by itself.
    DETECTED = r"""
options:
  readers:
    description:
      - Who reads the environment file, as in M(fediops.mastodon.env_file). Used in check mode, to write the file that
        is shown to Rails.
      - Detected when it is not set.
    type: list
    elements: str
    choices:
      - ruby
      - node
      - compose
      - python_dotenv
      - systemd
      - sh
      - raw
      - ruby-2.4
      - ruby-2.7
      - ruby-2.8
      - ruby-3.0-3.1.4
      - ruby-3.1.5-3.1.8
      - ruby-3.2
"""
