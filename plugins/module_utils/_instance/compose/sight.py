# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about an instance in containers, from the data of Docker and Compose."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from ..._files import gate
from ..._findings.compose import TABLE
from ..._findings.model import Finding
from ..._loopback import is_loopback
from ..._mailer.variables import VARIABLES
from .. import layers
from ..model import NOT_PASSED, REQUIRED
from ..sendmail import HELPERS, SENDMAIL
from .compose_lines import entry_line
from .containers import Container
from .project import Passed, Project, ServiceModel, differing, interpolated, lost, passed_on

#: A shell script that does in a container what sendmail.privileged_program does on the host.
PRIVILEGED_PROGRAM = (
    f'[ -e {SENDMAIL} ] || exit 0; for f in "$(readlink -f {SENDMAIL})" {" ".join(HELPERS)}; do'
    ' if [ -u "$f" ] || [ -g "$f" ]; then echo "$f"; fi; done'
)


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the entries of the Compose files are.

    :ivar shown: the project's Compose file, for people.
    :ivar texts: path and text of each Compose file, in the order in which they are read.
    """

    shown: str
    texts: t.Sequence[tuple[str, str]] = dataclasses.field(default=(), repr=False)

    def of(self, service: str, name: str) -> tuple[str, int]:
        """The file and line of an C(environment:) entry; line 0 if it is not seen, as with an anchor."""
        found = entry_line(service, name, self.texts)
        return (f"service {service} of {found[0]}", found[1]) if found else (f"service {service} of {self.shown}", 0)


def layers_of(
    model: ServiceModel, image: t.Mapping[str, str], places: Places, findings: list[Finding], dotenv: str = ""
) -> list[layers.Layer]:
    """Where a service's variables come from, the winner first.

    :param image: the variables of its image.
    :param dotenv: the file that Compose fills in variables from, if that is the environment file.
    """
    passed = passed_on(model) if dotenv else {}
    own: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for name in model.own:
        if name in model.environment and name not in passed:
            own[interpolated(model, name)][name] = model.environment[name]
    shown = f"service {model.name} of {places.shown}"

    def where(name: str) -> tuple[str, int]:
        return places.of(model.name, name)

    found = [
        layers.Layer("environment:", shown, given=own[False], where=where),
        layers.Layer("environment: (filled in from .env)", shown, given=own[True], where=where),
    ]
    if layers.mail_variables(passed):
        found += _from_dotenv(model, passed, dotenv, places, findings)
    for one in reversed(model.env_files):
        layer = layers.file_layer("env_file", one.path, one.reader, findings)
        found += [layer] if layer else []
    return [*found, layers.Layer("image", model.image or model.name, given=image)]


def _from_dotenv(
    model: ServiceModel, passed: t.Mapping[str, Passed], dotenv: str, places: Places, findings: list[Finding]
) -> list[layers.Layer]:
    """The layers of a service that gets its mail variables one by one from C(.env)."""
    shown = f"service {model.name} of {places.shown}"
    whole = any(gate.real(one.path) == dotenv for one in model.env_files)
    missing = () if whole else tuple(sorted(set(VARIABLES) - set(model.own)))
    layer = layers.file_layer(".env", dotenv, "compose", findings)
    defaults = {name: one.default for name, one in passed.items() if one.default is not None}
    required = tuple(name for name, one in passed.items() if one.required)

    def where(name: str) -> tuple[str, int]:
        return places.of(model.name, name)

    return [
        layers.Layer(NOT_PASSED, shown, blocks=missing),
        *([layer] if layer else []),
        layers.Layer(REQUIRED, shown, blocks=required, where=where),
        layers.Layer("environment: (default)", shown, given=defaults, where=where),
    ]


def no_env_file(model: ServiceModel, project: Project) -> Finding:
    """The finding when a service has no env_file, and no C(.env) in its place."""
    passed = layers.mail_variables(passed_on(model))
    service, message = model.name, f"It has no env_file in {project.shown}."
    if passed:
        message = f"{project.shown} takes {' and '.join(passed)} from {project.dotenv}, which does not exist."
        fix = f"Write {project.dotenv} with these variables, or give the service an env_file instead of these entries."
        return TABLE.finding("service-reads-no-file", service, message, fix)
    return TABLE.finding("service-reads-no-file", service, message)


def unclear_env_file(path: str, compose_file: str) -> Finding:
    """The finding when the env_file's path is interpolated."""
    return TABLE.finding("env-file-path-unclear", path, f"{compose_file} names it so.")


def reads_other_file(service: str, env_file: str, model: ServiceModel) -> Finding:
    """The finding when a mail service does not read the edited file."""
    named = " and ".join(one.path for one in model.env_files) or "no file"
    return TABLE.finding("service-reads-no-file", service, f"It reads {named}, not {env_file}.")


def about_replacing(
    model: ServiceModel,
    image_id: str,
    containers: t.Sequence[Container],
    compose_file: str,
    edited: t.Collection[str] = (),
) -> list[Finding]:
    """What else would change if a service's containers were recreated now.

    :param edited: variables that come from the environment file, so that an edit is meant to change them.
    :param image_id: id of the Compose file's image on this host; empty when it is not here.
    """
    if not image_id:
        message = f"{compose_file} names {model.image} for {model.name}, which is not on this host."
        return [TABLE.finding("image-missing", model.image or model.name, message)]
    found: dict[Finding, None] = {}
    for one in containers:
        if one.image_id != image_id:
            was = one.image if one.image != model.image else f"an older {one.image} ({short(one.image_id)})"
            message = f"{model.name} runs {was}; a new container would run {model.image} ({short(image_id)})."
            found[TABLE.finding("image-changed", model.name, message)] = None
        gone = [name for name in lost(model, one) if name not in edited]
        for name in gone:
            message = (
                f"{one.name} has {name}, {compose_file} takes it from Compose's environment, where nothing sets it now."
            )
            found[TABLE.finding("interpolation-lost", f"{name} of {model.name}", message)] = None
        for name in sorted(set(model.own) - set(gone) - set(edited)):
            there = one.environment.get(name)
            if interpolated(model, name) and there is not None and there != model.environment.get(name):
                message = f"{one.name} was created with a different value for {name} than {compose_file} gives it now."
                found[TABLE.finding("interpolation-changed", f"{name} of {model.name}", message)] = None
    return list(found)


def about_compose_1(containers: t.Sequence[Container], expected: t.Mapping[str, str]) -> list[Finding]:
    """What Compose 1 has read differently from the files than Compose 2 does.

    :param expected: the environment of a new container.
    """
    found = []
    for one in containers:
        differs = () if one.made_as == "compose" else differing(one, expected)
        others = [name for name in differs if not layers.mail_variables([name])]
        if others:
            message = (
                f"{one.name} was created by Compose {one.made_by}; a new container would differ in {', '.join(others)}."
            )
            found.append(TABLE.finding("made-by-compose-1", one.service, message))
    return found


def short(image_id: str) -> str:
    """An image's id as docker shows it."""
    return image_id.replace("sha256:", "")[:12]


def url_of(web: Container, port: int) -> str:
    """The URL at which the host reaches a web container; empty when unknown.

    :param port: the port that it listens on.
    """
    for inner, host, outer in web.published:
        if inner == port:
            return f"http://{_host(host)}:{outer}"
    if web.network_mode == "host":
        return f"http://127.0.0.1:{port}"
    address = next((one for one in web.addresses.values() if one), "")
    return f"http://{_host(address)}:{port}" if address else ""


def _host(address: str) -> str:
    anywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}
    return anywhere.get(address, f"[{address}]" if ":" in address else address)


def from_host(reason: str) -> Finding:
    """The finding when the relay is probed from the host instead of the container that sends mail."""
    return TABLE.finding("looked-from-host", "sidekiq", reason)


def relay_is_itself(host: str, sender: Container) -> list[Finding]:
    """The finding when the relay's name means the container itself; none if it shares the host's network."""
    if sender.network_mode == "host" or not is_loopback(host):
        return []
    message = f"Mail is sent from container {sender.name}, and {host} there is the container itself."
    return [TABLE.finding("relay-is-the-container", host, message)]


def no_way_out(sender: Container, internal: t.Mapping[str, bool]) -> list[Finding]:
    """The finding when all networks of a container are internal.

    :param internal: network -> whether it is internal.
    """
    names = sorted(sender.addresses)
    if not names or not all(internal.get(name, False) for name in names):
        return []
    message = f"{sender.name} is attached only to {', '.join(names)}, which is internal."
    return [TABLE.finding("network-without-way-out", sender.service, message)]


def no_ca_file(ca_file: str, sender: Container) -> Finding:
    """The finding when the CA file in the settings does not exist in the container."""
    message = f"{ca_file} does not exist or is not readable in {sender.name}."
    return TABLE.finding("ca-file-not-in-image", ca_file, message)


def is_before(release: str, major: int, minor: int) -> bool:
    """Whether a release is older than C(major.minor); false when it cannot be parsed."""
    numbers = release.split(".")[:2]
    return all(one.isdecimal() for one in numbers) and [int(one) for one in numbers] < [major, minor]
