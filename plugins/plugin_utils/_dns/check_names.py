# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of the sender-DNS checks for people; the ids of the rules are for the tables."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

CHECK_NAMES = {
    "D1": "From domain",
    "D2": "MX record",
    "D3": "null MX",
    "D4": "mail hosts",
    "S1": "SPF record",
    "S2": "SPF syntax",
    "S3": "SPF lookups",
    "S4": "SPF for the relay",
    "S5": "SPF too open",
    "S6": "SPF deprecated parts",
    "S7": "bounce subdomain",
    "K1": "DKIM keys",
    "K2": "DKIM key strength",
    "K3": "DKIM selectors",
    "M1": "DMARC record",
    "M2": "DMARC syntax",
    "M3": "DMARC policy",
    "M4": "DMARC alignment",
    "M5": "DMARC reports",
    "W1": "wildcards",
    "W2": "CNAME records",
}
