#!/usr/bin/python

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_variables
short_description: Check the variables of the role before anything uses them
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Works out each variable of the role P(fediops.mastodon.mastodon_smtp#role) that is set for the host, and checks its
    type and its choices, and the few values that must be in a form or range before anything is done. All problems are
    reported at once, in sentences.
  - Refuses variables that begin with C(mastodon_smtp_) and that nothing reads (C(setting-unknown)), and codes in
    C(mastodon_smtp_accept) that no finding has (C(accept-unknown)), each with the name that is likely meant.
  - Refuses variables that facts of the host set (C(setting-from-facts)), as every module of this collection does.
  - Secrets are hidden, also where a message quotes a value. A variable that cannot be worked out is named, and none of
    the lines around it, which ansible-core would show.
  - Runs on the controller and needs no connection. It changes nothing.
extends_documentation_fragment:
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.controller
  - fediops.mastodon.attributes.reads
  - fediops.mastodon.chain
seealso:
  - module: fediops.mastodon.smtp_settings
"""

EXAMPLES = r"""
- name: Check the variables
  fediops.mastodon.smtp_variables:
"""

RETURN = r"""
findings:
  description:
    - What is wrong with the variables; the module fails when there is anything.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: setting-unworkable
      severity: error
      subject: mastodon_smtp_password
      message: mastodon_smtp_password refers to vault_smtp_pasword, which is not defined for this host.
      fix: Correct the name, or define it, for instance in a vault of the host or of one of its groups.
"""
