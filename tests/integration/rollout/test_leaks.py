# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password appears nowhere: not in any output at the highest verbosity, not on the hosts, not on the controller.

Of rollouts that fail, test_failing.py looks at the same.
"""

from __future__ import annotations

from harness import Lab
from leaks import logged, nowhere_else


def test_a_dry_run_shows_no_password_and_leaves_none(first_state: Lab) -> None:
    done = logged(first_state, "--check", "--diff", result_format="json")
    assert done.status == 0, done.output
    nowhere_else(first_state)


def test_a_rollout_shows_no_password_and_leaves_none(rolled_out: Lab) -> None:
    """The rollout itself is the fixture's."""
    nowhere_else(rolled_out)
