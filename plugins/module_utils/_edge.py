# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""What every module does the same way at its end: findings become a result, errors become a failure."""

from __future__ import annotations

import typing as t

from ._findings.model import Finding, errors, explain, worst_first


class ModuleLike(t.Protocol):
    """The parts of AnsibleModule that are touched here, so that a test can stand in with a stub."""

    def exit_json(self, **result: t.Any) -> t.NoReturn: ...

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn: ...


def conclude(module: ModuleLike, findings: t.Iterable[Finding], **evidence: t.Any) -> t.NoReturn:
    """End the module: failed when a finding is an error, with the same evidence either way.

    :param evidence: the module's return values; C(findings) is added, worst first.
    """
    ranked = worst_first(findings)
    evidence["findings"] = [one.as_dict() for one in ranked]
    if errors(ranked):
        module.fail_json(msg=explain(ranked), **evidence)
    module.exit_json(**evidence)
