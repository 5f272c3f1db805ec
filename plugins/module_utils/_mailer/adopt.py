# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reverse of a plan: variables of a running instance -> the settings for an inventory."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._findings.adopt import TABLE
from .._findings.model import Finding
from .compare import effects, shown
from .effective import Effective, Relay, effective
from .names import AUTH_METHODS, BULK, CREDENTIAL, MAIN
from .plan import Plan, plan
from .release import Release
from .settings import Preset, Request, Wanted
from .standing import SENDS_NOTHING, about_standing, blank_login
from .variables import VARIABLES, blank


@dataclasses.dataclass(frozen=True)
class Adopted:
    """The settings of one instance for an inventory.

    :ivar settings: role variable without C(mastodon_smtp_) -> value; C(bulk) is a dictionary of the same kind.
    :ivar secrets: the same for variables that belong in a vault.
    """

    settings: dict[str, t.Any]
    secrets: dict[str, str] = dataclasses.field(repr=False)


def adopt(
    variables: t.Mapping[str, str],
    release: str,
    local_domain: str,
    names: t.Iterable[str] = (),
    presets: t.Mapping[str, Preset] | None = None,
) -> tuple[Adopted, list[Finding]]:
    """The settings in use, what is wrong with them, and findings where a rollout of them would have another effect.

    :param variables: all variables that Rails sees; those not about mail are ignored.
    :param names: the mail variables of the environment file, also those that Mastodon does not know.
    :param presets: what is known about providers, for the names of their hosts.
    """
    used = effective(variables, Release.parse(release), local_domain)
    standing = about_standing(variables, names, release, local_domain)
    refused = _unusable(used)
    if refused or used.main is None:
        return Adopted({}, {}), [TABLE.finding("adopt-unusable", "settings", refused), *standing]
    settings: dict[str, t.Any] = {}
    secrets: dict[str, str] = {}
    if used.delivery_method == "smtp":
        main, password = _relay(used.main, MAIN, variables)
        settings.update(main)
        secrets.update({"password": password} if password else {})
    else:
        settings["delivery_method"] = str(used.delivery_method)
    if used.bulk:
        settings["bulk"], password = _relay(used.bulk, BULK, variables)
        secrets.update({"bulk_password": password} if password else {})
    for name in ("from_address", "reply_to", "return_path"):
        text = variables.get(f"SMTP_{name.upper()}", "").strip()
        if text:
            settings[name] = text
    if settings.get("login") in secrets.values():
        secrets["login"] = settings.pop("login")  # Postmark: one token is login and password
    adopted = Adopted(settings, secrets)
    return adopted, [*standing, *_proof(adopted, used, variables, release, local_domain, presets or {})]


def _unusable(used: Effective) -> str:
    """Why there is nothing to adopt; empty if there is."""
    if used.delivery_method in SENDS_NOTHING:
        return f"Mastodon {SENDS_NOTHING[str(used.delivery_method)]} and sends nothing."
    if used.error:
        return f"Rails answers {used.error.error_class}: {used.error.message}."
    return "" if used.main else "Rails answers there is no relay."


def _relay(relay: Relay, prefix: str, variables: t.Mapping[str, str]) -> tuple[dict[str, t.Any], str]:
    """One relay as role settings, and its password."""
    port = str(relay.settings.get("port") or 25)
    found: dict[str, t.Any] = {
        "host": str(relay.settings.get("address") or "localhost"),
        "port": int(port) if port.isdecimal() else port,
        "tls": relay.tls_mode,
        "auth": relay.auth_mode if relay.auth_mode in AUTH_METHODS else "plain",
    }
    password = ""
    if blank_login(variables, prefix):
        found["auth"] = "none"
    elif relay.auth_mode != "none":
        found["login"] = variables.get(prefix + CREDENTIAL["login"], "")
        password = variables.get(prefix + CREDENTIAL["password"], "")
    if relay.tls_mode != "none":
        found["verify"] = relay.verify_mode
        if variables.get(f"{prefix}CA_FILE"):
            found["ca_file"] = variables[f"{prefix}CA_FILE"]
    if variables.get(f"{prefix}DOMAIN", "").strip():
        found["helo_domain"] = variables[f"{prefix}DOMAIN"]
    return found, password


def _proof(
    adopted: Adopted,
    used: Effective,
    variables: t.Mapping[str, str],
    release: str,
    local_domain: str,
    presets: t.Mapping[str, Preset],
) -> list[Finding]:
    """The round trip: plan with the adopted settings, and compare what Rails would do with what it does."""
    done, problems = plan(_request(adopted, release, local_domain), presets)
    found = [
        TABLE.finding("adopt-would-stop", one.subject, f"{one.message} [{one.code}]")
        for one in problems
        if one.severity == "error"
    ]
    expected = done.effective.as_dict()
    for one in effects(expected, used.as_dict()):
        if blank(variables.get(one.variable, "-")):
            continue  # an empty login or HELO name, about which there is a finding already
        message = f"Rails uses {shown(one.actual)}, and would use {shown(one.expected)}."
        found.append(TABLE.finding("adopt-differs", one.setting, message))
    names = _rewritten(done, variables)
    if names:
        found.append(TABLE.finding("adopt-rewrites", ", ".join(names), TABLE.rows["adopt-rewrites"].meaning))
    return found


def _rewritten(done: Plan, variables: t.Mapping[str, str]) -> list[str]:
    wanted = {**done.set, **done.secrets}
    return [name for name in VARIABLES if wanted.get(name) != variables.get(name)]


def _request(adopted: Adopted, release: str, local_domain: str) -> Request:
    settings, secrets = adopted.settings, adopted.secrets
    names = [field.name for field in dataclasses.fields(Wanted)]
    main: dict[str, t.Any] = {name: settings[name] for name in names if name in settings}
    main.update((name, secrets[name]) for name in ("login", "password") if name in secrets)
    bulk = settings.get("bulk")
    return Request(
        relay=Wanted(**main),
        bulk=Wanted(**bulk, password=secrets.get("bulk_password", "")) if bulk else None,
        from_address=settings.get("from_address", ""),
        reply_to=settings.get("reply_to", ""),
        return_path=settings.get("return_path", ""),
        delivery_method=settings.get("delivery_method", "smtp"),
        mastodon_release=release,
        local_domain=local_domain,
    )
