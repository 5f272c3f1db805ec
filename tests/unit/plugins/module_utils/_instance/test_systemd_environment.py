# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.process import Account
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.environment import app_environment
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import Unit

ACCOUNT = Account("mastodon", 991, 991, "/home/mastodon", "/bin/bash", (991,))
HOME = "/home/mastodon/.rbenv/shims:/home/mastodon/.rbenv/bin"
USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def unit(program, **more):
    return Unit("mastodon-web.service", exec_start=(program,), **more)


def test_a_clean_environment_of_the_user():
    found = app_environment(unit("/usr/bin/bundle /usr/bin/bundle exec puma"), ACCOUNT)
    assert sorted(found) == ["HOME", "LANG", "LOGNAME", "PATH", "RAILS_ENV", "SHELL", "USER"]
    assert (found["HOME"], found["USER"], found["LOGNAME"]) == ("/home/mastodon", "mastodon", "mastodon")
    assert (found["RAILS_ENV"], found["LANG"]) == ("production", "C.UTF-8")


def test_the_units_own_variables_and_files_in_systemds_order():
    web = unit(
        "/usr/bin/bundle x",
        environment={"A": "unit", "B": "unit", "C": "unit"},
        unset_environment=("C", "D=first", "B=x"),
    )
    found = app_environment(web, ACCOUNT, [{"B": "first", "D": "first"}, {"B": "second"}])
    assert (found["A"], found["B"]) == ("unit", "second")
    assert "C" not in found and "D" not in found


def test_it_is_production_whatever_the_unit_says():
    web = unit("/usr/bin/bundle x", environment={"RAILS_ENV": "staging", "LANG": "de_DE.UTF-8"})
    found = app_environment(web, ACCOUNT)
    assert (found["RAILS_ENV"], found["LANG"]) == ("production", "de_DE.UTF-8")


@pytest.mark.parametrize(
    ("program", "given", "running", "first"),
    [
        # rbenv as Mastodon's units have it
        ("/home/mastodon/.rbenv/shims/bundle /home/mastodon/.rbenv/shims/bundle exec puma", None, "", HOME),
        # the system's Ruby stays first even where an unused rbenv lies about
        ("/usr/bin/bundle /usr/bin/bundle exec puma", None, "", "/usr/bin:/home/mastodon/.rbenv/shims"),
        ("/opt/ruby/bin/ruby /opt/ruby/bin/ruby bin/puma", None, "", "/opt/ruby/bin:/home/mastodon/.rbenv/shims"),
        # behind a shell, an absolute path inside says it
        ("/bin/sh /bin/sh -c exec '/opt/r/bin/bundle' exec puma", None, "", "/opt/r/bin:/home/mastodon/.rbenv/shims"),
        # behind a login shell, the running process knows
        ("/bin/sh /bin/sh -lc exec bundle exec puma", None, "/srv/ruby/bin:/usr/bin", "/srv/ruby/bin:/usr/bin"),
        # the unit's own PATH
        ("/usr/bin/env /usr/bin/env bundle exec puma", "/srv/ruby/bin:/usr/bin", "/old/bin", "/srv/ruby/bin:/usr/bin"),
        # nothing is known: where rbenv usually is
        ("/usr/bin/env /usr/bin/env bundle exec puma", None, "", HOME),
    ],
    ids=["rbenv", "system", "opt", "shell with path", "login shell", "PATH=", "env"],
)
def test_the_ruby_of_the_unit_is_found_first(program, given, running, first):
    web = unit(program, environment={"PATH": given} if given else {})
    path = app_environment(web, ACCOUNT, running={"PATH": running} if running else {})["PATH"]
    assert path.startswith(first)
    assert set(USUAL.split(":")) <= set(path.split(":"))


def test_relative_and_repeated_directories_are_left_out():
    web = unit("/usr/bin/bundle x", environment={"PATH": "bin:/usr/bin::/usr/bin:./node_modules/.bin"})
    folders = app_environment(web, ACCOUNT)["PATH"].split(":")
    assert all(folder.startswith("/") for folder in folders) and len(folders) == len(set(folders))
