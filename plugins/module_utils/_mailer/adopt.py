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
from .compare import differences, shown
from .effective import Effective, Relay, effective
from .names import AUTH_METHODS, BULK, CREDENTIAL, MAIN
from .plan import Plan, plan
from .release import Release
from .settings import Request, Wanted
from .variables import VARIABLES


@dataclasses.dataclass(frozen=True)
class Adopted:
    """The settings of one instance for an inventory.

    :ivar settings: role variable without C(mastodon_smtp_) -> value; C(bulk) is a dictionary of the same kind.
    :ivar secrets: the same for variables that belong in a vault.
    """

    settings: dict[str, t.Any]
    secrets: dict[str, str] = dataclasses.field(repr=False)


def adopt(variables: t.Mapping[str, str], release: str, local_domain: str) -> tuple[Adopted, list[Finding]]:
    """The settings in use, and findings where a rollout of them would have another effect.

    :param variables: all variables that Rails sees; those not about mail are ignored.
    """
    used = effective(variables, Release.parse(release), local_domain)
    if used.error or used.main is None:
        said = f"{used.error.error_class}: {used.error.message}" if used.error else "there is no relay"
        return Adopted({}, {}), [TABLE.finding("adopt-unusable", "settings", f"Rails answers {said}.")]
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
    return adopted, _proof(adopted, used, variables, release, local_domain)


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
    if relay.auth_mode != "none":
        found["login"] = variables.get(prefix + CREDENTIAL["login"], "")
        password = variables.get(prefix + CREDENTIAL["password"], "")
    if relay.tls_mode != "none":
        mode = str(relay.settings.get("openssl_verify_mode") or "peer").lower()
        found["verify"] = "none" if mode == "none" else "peer"
        if variables.get(f"{prefix}CA_FILE"):
            found["ca_file"] = variables[f"{prefix}CA_FILE"]
    if variables.get(f"{prefix}DOMAIN"):
        found["helo_domain"] = variables[f"{prefix}DOMAIN"]
    return found, password


def _proof(
    adopted: Adopted, used: Effective, variables: t.Mapping[str, str], release: str, local_domain: str
) -> list[Finding]:
    """The round trip: plan with the adopted settings, and compare with what is in use."""
    done, problems = plan(_request(adopted, release, local_domain), {})
    found = [
        TABLE.finding("adopt-would-stop", one.subject, f"{one.message} [{one.code}]")
        for one in problems
        if one.severity == "error"
    ]
    for one in differences(done.effective.as_dict(), used.as_dict()):
        message = f"Rails uses {shown(one.actual)}, and would use {shown(one.expected)}."
        found.append(TABLE.finding("adopt-differs", one.setting, message))
    names = _rewritten(done, variables)
    if names and not found:
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
