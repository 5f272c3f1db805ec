#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_services
short_description: Make Mastodon's web and Sidekiq services run on the present mail settings
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Restarts the web service and all Sidekiq services that run on older settings than the files now hold. The streaming
    service sends no mail and is never touched.
  - Looks at facts, not at notifications. A service is stale when its main process started before the last modification
    of any file that it takes variables from. With Docker Compose it is stale when a container has other values than a
    new one would get. A second run does nothing.
  - On a host whose clock was set back, file times may be in the future. Then the time of the inode counts, or what the
    files looked like at the last restart, which is noted in C(/run/fediops.mastodon). Where neither helps, a service is
    restarted once more, and C(file-time-ahead) names the file.
  - With Docker Compose, the containers are recreated by C(docker compose up) for exactly these services, never
    restarted, since a restart keeps the old environment. They stop within 30 seconds, images are neither fetched nor
    built, and how many containers a service has stays as it is. At the end, their variables are compared with the
    files.
  - Waits until each restarted service does its work. For web that is when it accepts connections, for Sidekiq when it
    takes jobs. Then watches for a while that it stays up, since a service that crashes at boot is brought back by
    systemd again and again and looks active in between.
  - A service that something else restarts or stops while it is watched (unattended-upgrades, an administrator) has not
    crashed. It has O(timeout) and O(steady) again, at most three times, and a finding of severity V(info) says so. What
    systemd or Docker restarts automatically counts as a crash.
  - A service that comes back badly is a finding that has the end of its log, without secrets and addresses.
  - All services are restarted at the same time. Each needs a boot of Rails, and so web is away for no longer than its
    own.
options:
  state:
    description:
      - V(current) restarts what is stale, and starts what has crashed. A service that somebody stopped is left stopped
        with a warning, since it reads the present settings when it is started.
      - V(restarted) restarts them all, and also starts those that are stopped but enabled.
      - A service that is not running and is disabled or masked is left alone either way.
      - When no Sidekiq service is running at the end, the module fails, since no mail leaves the queue then. On a host
        where only the web service is meant to run (RV(fediops.mastodon.instance_info#module:instance.roles)), it does
        not.
    type: str
    choices: [current, restarted]
    default: current
  steady:
    description: Seconds for which the restarted services must stay up once all are ready.
    type: float
    default: 10
  timeout:
    description:
      - Seconds that the restarted services together may take to become ready. A stopping Sidekiq may take 25 seconds
        of it to finish its jobs.
      - The module takes no longer than this and O(steady) together, and a few seconds for its own work, unless
        something else restarts a service meanwhile.
    type: float
    default: 180
attributes:
  check_mode:
    support: full
    details: Says what would be restarted, and why it could not be.
  diff_mode:
    support: none
    details: The result has the state before and after of every service.
  idempotent:
    support: partial
    details: With O(state=current). With O(state=restarted) it restarts every time.
extends_documentation_fragment:
  - fediops.mastodon.instance
  - fediops.mastodon.handed
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.host
  - fediops.mastodon.chain
notes:
  - Needs nothing but Python on the target.
  - Needs root, by C(become). With Docker Compose, a user of the group C(docker) is enough.
  - A web service that systemd activates by a socket seems to accept connections before it has booted.
    O(steady) is what shows a failed boot there.
seealso:
  - module: fediops.mastodon.instance_info
"""

EXAMPLES = r"""
- name: Restart stale services
  fediops.mastodon.mail_services:
  become: true

- name: Restart web and Sidekiq in any case, on a slow host
  fediops.mastodon.mail_services:
    state: restarted
    timeout: 600
    steady: 30
  become: true

- name: See what a restart would concern
  fediops.mastodon.mail_services:
  become: true
  check_mode: true
"""

RETURN = r"""
services:
  description: Every service of the instance, also those that were not touched.
  returned: when the instance was found
  type: list
  elements: dict
  contains:
    name:
      description: The name of the unit, or of the service in the Compose file.
      type: str
    role:
      description: V(web), V(sidekiq) or V(streaming).
      type: str
    stale:
      description: Whether it ran on older settings than the files held, before this step.
      type: bool
    restarted:
      description: Whether it was, or in check mode would be, restarted or started.
      type: bool
    before:
      description: How it was before.
      type: dict
      contains: &state
        state:
          description: V(running), V(changing), V(failed) or V(stopped).
          type: str
        detail:
          description: The state in systemd's or Docker's own words.
          type: str
        since:
          description: When its main process started, ISO 8601 in UTC. Null when it does not run.
          type: str
        pid:
          description: Its main process; 0 when it does not run.
          type: int
        restarts:
          description: How often it was brought back since somebody last started it.
          type: int
        differs:
          description:
            - Names of the variables that it was given with another value than the files now hold. The values are
              compared and never shown.
            - Null with systemd, where the processes read the file themselves.
          type: list
          elements: str
    after:
      description: How it is now. In check mode the same as before.
      type: dict
      contains: *state
  sample:
    - name: mastodon-web.service
      role: web
      stale: true
      restarted: true
      before:
        {state: running, detail: active (running), since: "2026-11-01T03:12:09Z", pid: 812, restarts: 0, differs: null}
      after:
        {state: running, detail: active (running), since: "2026-11-23T09:11:42Z", pid: 9415, restarts: 0, differs: null}
    - name: mastodon-streaming.service
      role: streaming
      stale: true
      restarted: false
      before:
        {state: running, detail: active (running), since: "2026-11-01T03:12:04Z", pid: 790, restarts: 0, differs: null}
      after:
        {state: running, detail: active (running), since: "2026-11-01T03:12:04Z", pid: 790, restarts: 0, differs: null}
ready_after:
  description: Seconds until all restarted services were ready. 0 when none was restarted.
  returned: when the instance was found
  type: float
  sample: 14.5
findings:
  description:
    - What was noticed, worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: service-crash-loop
      severity: error
      subject: mastodon-sidekiq.service
      message: "It has crashed and restarted 2 times. The end of its log: Could not find rake-13.2.1 in locally
        installed gems"
      fix: The last lines of its log are in the message; the whole log is in journalctl.
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import (
    INSTANCE_ARGUMENTS,
    check_seconds,
    conclude,
    guarded,
    handed,
    hints_from,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._files.unproved import proving
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import errors
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.client import REPLACE
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Driver
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.renewal import Outcome, longest, predict, renew


def work(driver: Driver, params: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    """Restart the services; in check mode only predict it."""
    told = handed(params)
    accepted = told.get("accept") or ()
    if check_mode:
        return predict(driver, "edited" if told.get("edited") else params["state"], accepted=accepted)
    return renew(driver, params["state"], steady=params["steady"], timeout=params["timeout"], accepted=accepted)


def run(module: AnsibleModule) -> None:
    check_seconds(module, module.params, 0, "steady", "timeout")
    driver = find(hints_from(module.params))
    with proving(driver, handed(module.params).get("ticket"), "services") as proof:
        outcome = work(driver, module.params, module.check_mode)
        if not errors(outcome.findings):
            proof.done()
    conclude(
        module,
        outcome.findings,
        changed=outcome.changed,
        services=[one.as_dict() for one in outcome.renewals],
        ready_after=round(outcome.waited, 1),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            INSTANCE_ARGUMENTS,
            state={"type": "str", "choices": ["current", "restarted"], "default": "current"},
            steady={"type": "float", "default": 10},
            timeout={"type": "float", "default": 180},
        ),
        supports_check_mode=True,
    )
    guarded(module, run, limit=longest(module.params["timeout"], module.params["steady"]) + REPLACE)


if __name__ == "__main__":
    main()
