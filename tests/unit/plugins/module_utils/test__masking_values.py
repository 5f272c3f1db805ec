# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret is hidden in every form in which a message may quote it."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.module_utils._masking import MASK, forms, without

AWKWARD = ["back\\slash\\", "it's", 'say "x"', "wörd", "tab\there", "line\nbreak", "€uro\\'s", "8\\u00e9"]


@pytest.mark.parametrize("secret", AWKWARD)
@pytest.mark.parametrize(
    "quote",
    [
        str,
        repr,
        ascii,
        json.dumps,
        lambda one: json.dumps(one, ensure_ascii=False),
        lambda one: repr([one, {"a": one}]),
    ],
)
def test_however_it_is_quoted(secret: str, quote: t.Callable[[str], str]) -> None:
    text = without(f"cannot convert {quote(secret)} to int", forms([secret]))
    assert (
        MASK in text and secret not in text and repr(secret)[1:-1] not in text and json.dumps(secret)[1:-1] not in text
    )


def test_quoted_twice_as_a_message_in_a_message() -> None:
    secret = "pa\\ss'w\"ord"
    assert "ord" not in without(json.dumps(repr(secret)), forms([secret])).replace(MASK, "")


@pytest.mark.parametrize("secret", ["it's", "plain", "a: b", "#x"])
def test_as_yaml_writes_it(secret: str) -> None:
    assert secret not in without(yaml.safe_dump({"password": secret}), forms([secret])).replace(MASK, "")


def test_a_number_a_list_and_a_dictionary_given_for_a_password() -> None:
    hidden = forms([20261128, ["first-one"], {"name": {"deep": "second-one"}}, None, True])
    seen = {"a": 20261128, "b": [20261128.5, "x20261128y"], "c": "first-one second-one", "d": True, "name": "name"}
    assert without(seen, hidden) == {
        "a": MASK,
        "b": [20261128.5, f"x{MASK}y"],
        "c": f"{MASK} {MASK}",
        "d": True,
        "name": "name",
    }


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert without("abcdef", forms(["abc", "abcdef"])) == MASK


def test_without_secrets_nothing_changes() -> None:
    assert forms(["", None, {}, []]) == () and without({"a": ["b", 1, None]}, ()) == {"a": ["b", 1, None]}
