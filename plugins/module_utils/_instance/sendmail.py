# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the services can use the host's sendmail.

Most sendmail programs put the mail into a queue that only one group may write to, so they or a helper are setgid or
setuid. That has no effect in a service with NoNewPrivileges=, which Mastodon's dist/mastodon-sidekiq.service sets. The
direct test of mailer_check runs outside the services and would not notice.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import os
import stat
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding

#: Where Action Mailer looks for it (the mail gem, lib/mail/network/delivery_methods/sendmail.rb).
SENDMAIL = "/usr/sbin/sendmail"
#: The setgid helpers of Postfix, nullmailer and qmail. In other mail servers (Exim, Sendmail, dma), sendmail itself is
#: setuid or setgid. msmtp and similar programs need neither.
HELPERS = ("/usr/sbin/postdrop", "/usr/sbin/nullmailer-queue", "/var/qmail/bin/qmail-queue")


def privileged_program(root: str = "") -> str:
    """The setuid or setgid program that sendmail needs on this host; empty if it needs none or does not exist.

    :param root: another root directory, for tests.
    """
    if not os.path.exists(root + SENDMAIL):
        return ""
    own = os.path.realpath(root + SENDMAIL)
    for path in (own, *(root + one for one in HELPERS)):
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if mode & (stat.S_ISUID | stat.S_ISGID):
            return path[len(root) :]
    return ""


def barred(services: t.Sequence[str], setting: str, program: str, fix: str = "") -> list[Finding]:
    """The finding that sendmail does not work in these services.

    :param setting: the setting that prevents it, as the service manager calls it, such as C(NoNewPrivileges).
    :param program: the program that needs setuid or setgid; no finding when empty.
    """
    if not services or not program:
        return []
    run = "runs" if len(services) == 1 else "run"
    message = (
        f"{' and '.join(services)} {run} with {setting}, so {program}, which sendmail needs, lacks its privileges."
    )
    return [TABLE.finding("sendmail-in-sandbox", SENDMAIL, message, fix)]
