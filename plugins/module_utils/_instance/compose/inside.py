# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done in and through the containers that run an instance, whoever started them."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import os
import typing as t

from ..._findings.model import Finding
from .. import sendmail, web_address
from ..model import Instance, Role, Seen, Service, Translate
from ..procfs import SIDEKIQ_AT_WORK, Processes
from . import network, sight
from .containers import Container
from .engine import Engine


class Inside:
    """The part of model.Driver that is the same for all containers.

    :ivar _containers: those of the instance; C(service) is the name by which the driver knows the service.
    :ivar _with_privileges: what to do where a container must not gain privileges.
    """

    instance: Instance
    _engine: Engine
    _processes: Processes
    _roles: t.Mapping[str, Role]
    _containers: list[Container]
    _with_privileges = "Send by SMTP instead, or remove no-new-privileges from security_opt in the Compose file."

    def may_read(self, path: str, descriptor: int) -> bool:  # noqa: ARG002
        """See model.Driver. Always true: the Engine reads the file and passes it to the containers."""
        return True

    def ready(self, service: Service) -> bool | None:
        """See model.Driver. Decided by its processes as under systemd; by its health check if they cannot be seen."""
        if service.state != "running":
            return False
        containers = [one for one in self._containers if one.service == service.name]
        verdicts = [self._at_work(service.role, one) for one in containers]
        return False if False in verdicts else None if None in verdicts else True

    def _at_work(self, role: Role, container: Container) -> bool | None:
        if container.health == "unhealthy":
            return False
        pids = self._processes.family(container.pid)
        if role == "sidekiq" and pids:
            return any(SIDEKIQ_AT_WORK.search(self._processes.title(pid)) for pid in pids)
        seen = self._processes.listens(pids) if pids else None
        if seen is None:
            seen = {"healthy": True, "starting": False}.get(container.health)
        return self._says_ready(container) if seen is None and role == "sidekiq" else seen

    def _says_ready(self, container: Container) -> bool | None:
        """By the file that Sidekiq creates when it starts to work, if that is configured; see procfs.SIDEKIQ_AT_WORK.

        A new container has no such file. Up to 4.2 nothing creates it.
        """
        name = container.environment.get("MASTODON_SIDEKIQ_READY_FILENAME", "")
        if not name or sight.is_before(self.instance.release, 4, 3):
            return None
        return self._engine.in_container(container.id, ("test", "-e", f"tmp/{name}")).returncode == 0

    # Its network

    def sidekiq_hosts(self) -> set[str]:
        """See model.Driver."""
        return {one.hostname for one in self._containers if self._roles.get(one.service) == "sidekiq"}

    def web_url(self) -> str:
        """See model.Driver. The published port, else the container's own address with the port it listens on."""
        web = [one for one in self._containers if self._roles.get(one.service) == "web" and one.state == "running"]
        return self._url(web[0]) if web else ""

    def _url(self, web: Container) -> str:
        pids = self._processes.family(web.pid)
        titles = map(self._processes.title, pids)
        environment = web.environment  # from env_file and environment:, which is all that its processes have
        found = web_address.choose(self._processes.listeners(pids), environment, titles, environment)
        path = found.path if found else environment.get("SOCKET", "")
        if path:
            inner = os.path.join("/", web.directory, path)
            return f"unix:{self._processes.reachable(found.pid if found else web.pid, inner)}"
        if found and web.network_mode == "host":
            return web_address.url(found)
        return sight.url_of(web, found.port if found else web_address.port(environment))

    def look_from(self, work: t.Callable[[Translate], Seen]) -> tuple[Seen, list[Finding]]:
        """See model.Driver and network. Runs on the host, with a finding, if the container cannot be entered."""
        sender = self._sender()
        reason = "No web or sidekiq container is running."
        if sender is not None:
            try:
                return network.enter_and(sender.pid, work), []
            except OSError as error:
                reason = f"The network of {sender.name} cannot be entered: {error.strerror}."
        return work(str), [sight.from_host(reason)]

    def relay_findings(self, host: str, ca_file: str, reached: bool) -> list[Finding]:
        """See model.Driver."""
        sender = self._sender()
        if sender is None:
            return []
        found = sight.relay_is_itself(host, sender)
        if not reached and not found:
            internal = self._engine.internal_networks(sender.addresses) if sender.addresses else {}
            found += sight.no_way_out(sender, internal)
        if ca_file and self._engine.in_container(sender.id, ("test", "-r", ca_file)).returncode != 0:
            found.append(sight.no_ca_file(ca_file, sender))
        return found

    def sendmail_findings(self) -> list[Finding]:
        """See model.Driver."""
        sender = self._sender()
        if sender is None or not sender.no_new_privileges:
            return []
        done = self._engine.in_container(sender.id, ("sh", "-c", sight.PRIVILEGED_PROGRAM))
        program = done.stdout.decode("utf-8", "replace").partition("\n")[0]
        return sendmail.barred([sender.service], "security_opt: no-new-privileges", program, self._with_privileges)

    def _sender(self) -> Container | None:
        """The container that sends mail: sidekiq's, else web's."""
        running = [one for one in self._containers if one.state == "running"]
        by_role = {self._roles.get(one.service): one for one in running}
        return by_role.get("sidekiq") or by_role.get("web")
