# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's settings, a provider's preset, and the relay that results from both."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._loopback import is_loopback


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A port of a relay and its TLS mode (C(starttls), C(implicit) or C(none))."""

    port: int
    tls: str


@dataclasses.dataclass(frozen=True)
class Preset:
    """What is known about one provider.

    :ivar hosts: region -> host; the empty region is the default. A host may contain C({region}).
    :ivar also: other names of the same hosts, also those that the provider had before.
    :ivar aliases: other names that people have for the provider.
    :ivar endpoints: the ports that the provider documents, in order of preference. Empty: the operator decides.
    :ivar auth: documented mechanisms, the preferred one first; empty when the provider documents none.
    :ivar refused_auth: mechanism -> what the provider answers to it.
    :ivar needs_login: whether mail is accepted only with a login.
    :ivar login: a fixed login, for example C(apikey); empty when it differs for each customer.
    :ivar login_form: C(address) when the login is a mail address, C(token) when it never is one; empty when its form is
        not known. Beside a fixed login: the form of other logins that the provider documents.
    :ivar login_hint: where to find the login.
    :ivar password_hint: which of the provider's keys is the password.
    :ivar sender_is: C(login) if the sender must be the login, C(alias) if an address that belongs to it will do, too;
        empty if the login does not decide.
    :ivar allow_list: where the server's own address must be listed, if the provider has such a list.
    :ivar named_by_helo: whether the provider knows a customer without a login by the EHLO name.
    :ivar advice: what an operator must know, one sentence each.
    :ivar warn: whether the advice is a warning.
    """

    name: str
    title: str
    hosts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    also: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    auth: tuple[str, ...] = ()
    refused_auth: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    needs_login: bool = True
    login: str = ""
    login_form: str = ""
    login_hint: str = ""
    password_hint: str = ""
    sender_is: str = ""
    allow_list: str = ""
    named_by_helo: bool = False
    advice: tuple[str, ...] = ()
    warn: bool = False

    def host(self, region: str) -> str:
        """The host for a region; empty when the preset has none."""
        template = self.hosts.get(region) or ""
        if not template and region and re.fullmatch(r"[a-z0-9]+(?:[-.][a-z0-9]+)*", region):
            template = self.hosts.get("*", "")
        return template.replace("{region}", region)

    def regions_of(self, host: str) -> tuple[str, ...]:
        """The regions that use a host; the empty region is the default. No regions: not a host of the provider."""
        name = host.lower().rstrip(".")
        found = [region for region, one in self.hosts.items() if one == name]
        before, region_goes_here, after = self.hosts.get("*", "").partition("{region}")
        if region_goes_here and name.startswith(before) and name.endswith(after):
            region = name[len(before) : len(name) - len(after)]
            found += [region] if self.host(region) == name else []
        return tuple(found) or (("",) if name in self.also else ())

    @property
    def regionless(self) -> str:
        """A host's name without its region, which does not exist; empty if the provider has a host without a region."""
        return self.hosts.get("*", "").replace("{region}.", "") if "" not in self.hosts else ""

    def tls_on(self, port: int) -> str | None:
        """The TLS mode of a port; None when the provider does not document the port."""
        return next((one.tls for one in self.endpoints if one.port == port), None)

    @property
    def hint(self) -> str:
        """What to use as login and password, and what else a login needs, as one sentence; empty when unknown."""
        login = f"the word {self.login}" if self.login else self.login_hint
        parts = [f"the {name} is {what}" for name, what in (("login", login), ("password", self.password_hint)) if what]
        if self.allow_list:
            parts.append(f"this server's address must be listed under {self.allow_list}")
        return f"{self.title}: {'; '.join(parts)}." if parts else ""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One relay as the operator describes it; empty and None mean: not given."""

    provider: str = ""
    region: str = ""
    host: str = ""
    port: int | None = None
    tls: str = ""
    auth: str = ""
    login: str = ""
    password: str = dataclasses.field(default="", repr=False)
    verify: str = ""
    ca_file: str = ""
    helo_domain: str = ""


@dataclasses.dataclass(frozen=True)
class Request:
    """The input of smtp_settings.

    :ivar relay: the relay for all mail.
    :ivar bulk: the relay for bulk mail; None without one.
    :ivar bulk_password_given: whether a bulk password was given without a bulk relay.
    :ivar mastodon_release: as instance_info reports it; empty for the newest.
    :ivar local_domain: LOCAL_DOMAIN of the instance; empty when it is not known.
    :ivar readers: the programs that must read the environment file the same way, see _dotenv.
    :ivar current: names of the mail variables that are set now.
    """

    relay: Wanted
    bulk: Wanted | None = None
    bulk_password_given: bool = False
    from_address: str = ""
    reply_to: str = ""
    return_path: str = ""
    delivery_method: str = "smtp"
    mastodon_release: str = ""
    local_domain: str = ""
    readers: tuple[str, ...] = ()
    current: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Relay:
    """One relay with all defaults filled in.

    :ivar alternatives: the provider's other ports.
    :ivar hint: what to use as the provider's login and password, for a failed login; empty without a preset.
    """

    host: str
    port: int
    tls: str
    auth: str
    login: str
    password: str = dataclasses.field(repr=False)
    verify: str
    ca_file: str
    helo_domain: str
    alternatives: tuple[Endpoint, ...]
    hint: str

    @property
    def encrypted(self) -> bool:
        return self.tls != "none"

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


#: Port -> its usual TLS modes (RFC 8314 section 7.3; the other submission ports are the providers' own).
PORTS: dict[int, tuple[str, ...]] = {
    25: ("starttls", "starttls_optional", "none"),
    80: ("starttls", "starttls_optional", "none"),
    443: ("implicit",),
    465: ("implicit",),
    587: ("starttls", "starttls_optional", "none"),
    1025: ("starttls", "starttls_optional", "none"),
    2465: ("implicit",),
    2525: ("starttls", "starttls_optional", "none"),
    2587: ("starttls", "starttls_optional", "none"),
    8025: ("starttls", "starttls_optional", "none"),
    8465: ("implicit",),
}


def resolve(wanted: Wanted, preset: Preset | None) -> Relay:
    """Fill in what the operator did not give, from the preset, else with the usual values. Given values always win."""
    endpoints = preset.endpoints if preset else ()
    port, tls = _endpoint(wanted, endpoints)
    login = wanted.login or (preset.login if preset else "")
    auth = wanted.auth
    if not auth:
        preferred = preset.auth[0] if preset and preset.auth else "plain"
        expected = bool(login or wanted.password) or bool(preset and preset.needs_login)
        auth = preferred if expected else "none"
    return Relay(
        host=wanted.host or (preset.host(wanted.region) if preset else ""),
        port=port,
        tls=tls,
        auth=auth,
        login=login,
        password=wanted.password,
        verify=wanted.verify or "peer",
        ca_file=wanted.ca_file,
        helo_domain=wanted.helo_domain,
        alternatives=tuple(one for one in endpoints if one.port != port),
        hint=preset.hint if preset else "",
    )


def _endpoint(wanted: Wanted, endpoints: tuple[Endpoint, ...]) -> tuple[int, str]:
    def usual_tls(port: int) -> str:
        of_preset = [one.tls for one in endpoints if one.port == port]
        return of_preset[0] if of_preset else PORTS.get(port, ("starttls",))[0]

    def usual_port(tls: str) -> int:
        spoken = "starttls" if tls == "starttls_optional" else tls
        of_preset = [one.port for one in endpoints if one.tls == spoken]
        return of_preset[0] if of_preset else {"implicit": 465, "none": 25}.get(tls, 587)

    if wanted.port is not None:
        return wanted.port, wanted.tls or usual_tls(wanted.port)
    if wanted.tls:
        return usual_port(wanted.tls), wanted.tls
    return (endpoints[0].port, endpoints[0].tls) if endpoints else (587, "starttls")
