# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.nearest import did_you_mean, nearest

REGIONS = ["fr-par", "pro-com.au", "eu", "us"]
PROVIDERS = ["amazon_ses", "mailgun"]


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("fr_par", REGIONS, "fr-par"),
        ("FR-PAR", REGIONS, "fr-par"),
        ("f-p-r", ["f-p-a"], "f-p-a"),  # its hyphens are the same, not two differences more
        ("pro_com_au", REGIONS, "pro-com.au"),
        ("EU", REGIONS, "eu"),
        ("Amazon-SES", PROVIDERS, "amazon_ses"),
        ("mailgum", PROVIDERS, "mailgun"),
        ("postfix", PROVIDERS, ""),
        ("x", [], ""),
    ],
)
def test_the_nearest_name_whatever_its_case_and_hyphens(name: str, known: list[str], found: str) -> None:
    assert nearest(name, known) == found


def test_the_question_has_the_prefix_in_front_of_the_name_and_nowhere_else() -> None:
    assert did_you_mean("mean_port", ["mean_ports"], "smtp_") == "; did you mean smtp_mean_ports?"
    assert did_you_mean("mailgum", PROVIDERS) == "; did you mean mailgun?"
    assert did_you_mean("postfix", PROVIDERS, "smtp_") == "."
