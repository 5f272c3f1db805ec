# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts with names of ours are refused."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._facts import set_by_facts


@pytest.mark.parametrize(
    "name",
    [
        "mastodon_smtp_adopt_dir",
        "mastodon_smtp_never_heard_of",
        "__mastodon_smtp_edit",
        "vault_mastodon_smtp_password",
        "inventory_dir",
        "inventory_hostname",
    ],
)
def test_a_fact_with_a_name_of_ours_is_an_error_that_names_it_and_the_host(name: str) -> None:
    (found,) = set_by_facts({"distribution": "Debian", name: "x"}, "masto1")
    assert found.code == "setting-from-facts" and found.severity == "error"
    assert name in found.message and "masto1" in found.message and "--flush-cache" in found.fix


def test_the_facts_that_hosts_have_are_none() -> None:
    facts = {"distribution": "Debian", "fqdn": "x", "module_setup": True, "local": {"mastodon_smtp_x": 1}}
    assert set_by_facts({**facts, "discovered_interpreter_python": "/usr/bin/python3"}, "masto1") == []
    assert set_by_facts(None, "masto1") == []


def test_a_host_cannot_put_words_into_the_message() -> None:
    facts = {"mastodon_smtp_x\n::stop-commands::t": 1, "mastodon_smtp_" + "y" * 5000: 1, "mastodon_smtp_host": 1}
    facts.update({f"mastodon_smtp_many{number}": 1 for number in range(1000)})
    (found,) = set_by_facts(facts, "masto1")
    assert "::" not in found.message and "yyy" not in found.message and len(found.message) < 400
    assert " more: " in found.message
