# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Mastodon sends a password reset to an address: the program that asks Rails, and its answer."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

#: Part of the programs that run in Rails. The address is looked up as Devise does for the form
#: (devise: lib/devise/models/recoverable.rb, authenticatable.rb). The reasons for sending nothing are Mastodon's:
#: app/models/user.rb (no reset without a password, C(active_for_authentication?) is C(!account.memorial?) from 3.4.6 to
#: main) and app/mailers/user_mailer.rb. Unconfirmed and disabled users do get the mail.
#: The throttle is checked with the application's own rules (config/initializers/rack_attack.rb) and the same request as
#: the form's, without counting it. Keys and limits: rack-attack 6.6 to 6.8, lib/rack/attack/throttle.rb, cache.rb.
ACCOUNTS = r"""
module FediopsAccounts
  class << self
    def find(address)
      User.find_or_initialize_with_errors(User.reset_password_keys, { email: address }, :not_found)
    end

    def look(address)
      { "state" => state(find(address)), "throttled_for" => throttled_for(address) }
    rescue StandardError, ScriptError => error
      { "state" => "unasked", "error" => "#{error.class}: #{error.message}".scrub("?")[0, 500], "throttled_for" => nil }
    end

    private

    def state(user)
      return "unknown" unless user.persisted?
      return "no_password" if user.encrypted_password.blank?
      user.active_for_authentication? ? "gets_mail" : "memorial"
    end

    # Seconds until the form takes another request for this address from this host; nil where it takes one now.
    def throttled_for(address)
      return unless defined?(Rack::Attack)
      request = Rack::Attack::Request.new(
        Rack::MockRequest.env_for("/auth/password", method: "POST", params: { "user" => { "email" => address } },
                                                    "REMOTE_ADDR" => "127.0.0.1")
      )
      return if Rack::Attack.safelists.values.any? { |rule| rule.matched_by?(request) }
      Rack::Attack.throttles.values.map { |rule| wait(rule, request, Time.now.to_i) }.compact.max
    rescue StandardError, ScriptError
      nil
    end

    def wait(rule, request, now)
      private_one = rule.respond_to?(:discriminator_for, true)
      by = private_one ? rule.send(:discriminator_for, request) : rule.block.call(request)
      return unless by
      limit, period = [rule.limit, rule.period].map { |value| value.respond_to?(:call) ? value.call(request) : value }
      period = period.to_i
      period - now % period if Rack::Attack.cache.read("#{now / period}:#{rule.name}:#{by}").to_i >= limit
    rescue StandardError
      nil
    end
  end
end
"""

State = t.Literal["gets_mail", "unknown", "no_password", "memorial", "unasked"]


@dataclasses.dataclass(frozen=True)
class Account:
    """What Rails reports about one address.

    :ivar state: C(unasked) if Rails could not tell.
    :ivar error: why it could not; text of the application, so redact it.
    :ivar throttled_for: seconds until the form accepts another request for it; 0 if it accepts one now.
    """

    state: State
    error: str = ""
    throttled_for: int = 0

    @classmethod
    def told(cls, answer: t.Mapping[str, t.Any]) -> Account:
        """From the answer of C(FediopsAccounts.look)."""
        state = answer.get("state")
        known = state if state in t.get_args(State) else "unasked"
        return cls(t.cast(State, known), str(answer.get("error") or ""), int(answer.get("throttled_for") or 0))


#: Why an address gets no password reset.
SILENCE: t.Mapping[State, str] = {
    "unknown": "This server has no account with this address.",
    "no_password": "The account has no password (its owner signs in by another service), so it gets no password reset.",
    "memorial": "The account is a memorial, and Mastodon sends it no mail.",
}
