# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A /proc of files, as proc(5) describes it, for hosts that the machine of the tests is not."""

from __future__ import annotations

import os

VERSION_RB = (
    "module Mastodon\n  module Version\n"
    "    def major\n      4\n    end\n\n    def minor\n      5\n    end\n\n    def patch\n      3\n    end\n"
    "  end\nend\n"
)
PUMA = "puma 6.6.1 (tcp://127.0.0.1:3000) [live]"
SIDEKIQ = "sidekiq 7.3.9 live [0 of 25 busy]"
NOBODY = 48765  # a user number without a name


class ProcTree:
    """Processes by number; their root directory is a folder beside it."""

    def __init__(self, folder):
        self.root = str(folder / "proc")
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.process(1, "systemd", cgroup="0::/init.scope\n")

    def app(self, path="/home/mastodon/live", version=VERSION_RB):
        place = self.disk / path.lstrip("/") / "lib/mastodon"
        place.mkdir(parents=True)
        (place / "version.rb").write_text(version)
        return path

    def process(self, pid, title, cgroup="0::/\n", cwd="/", parent=1, program="ruby", environ="", user=NOBODY):
        place = os.path.join(self.root, str(pid))
        os.makedirs(place)
        texts = {
            "cmdline": title.replace(" ", "\0") if pid != 1 else title,
            "cgroup": cgroup,
            "comm": f"{program}\n",
            "environ": environ,
            "status": f"Name:\t{program}\nPPid:\t{parent}\nUid:\t{user}\t{user}\t{user}\t{user}\n",
        }
        for name, text in texts.items():
            with open(os.path.join(place, name), "w", encoding="utf-8") as file:
                file.write(text)
        os.symlink(cwd, os.path.join(place, "cwd"))
        os.symlink(self.disk, os.path.join(place, "root"))

    def both(self, web="0::/\n", sidekiq=None, cwd="/home/mastodon/live", **more):
        """puma 4711 and Sidekiq 4712."""
        self.process(4711, PUMA, web, cwd, **more)
        self.process(4712, SIDEKIQ, web if sidekiq is None else sidekiq, cwd, **more)
