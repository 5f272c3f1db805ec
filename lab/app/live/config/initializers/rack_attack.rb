# frozen_string_literal: true

# How often a password reset may be asked for; names, limits, periods and discriminators are those of Mastodon's file of this
# name. Its other limits are about pages that the lab has not.
module Rack
  class Attack
    class Request
      def remote_ip
        @remote_ip ||= (@env['action_dispatch.remote_ip'] || ip).to_s
      end

      # A subnet of IPv6 counts as one.
      def throttleable_remote_ip
        address = IPAddr.new(remote_ip)
        (address.ipv6? ? address.mask(64) : address).to_s
      end

      def password_reset?
        post? && path.match?(%r{\A/auth/password(\..*)?\z})
      end
    end

    # Gone with the fix of GHSA-c2r5-cfqr-c553: 3fa0dd0b88 for 4.3, and 4.2.9 (CHANGELOG.md).
    unless Lab::Release.at_least?('4.2.9')
      safelist('allow from localhost') { |request| ['127.0.0.1', '::1'].include?(request.remote_ip) }
    end

    throttle('throttle_password_resets/ip', limit: 25, period: 5.minutes) do |request|
      request.throttleable_remote_ip if request.password_reset?
    end

    throttle('throttle_password_resets/email', limit: 5, period: 30.minutes) do |request|
      request.params.dig('user', 'email').presence if request.password_reset?
    end

    self.throttled_responder = lambda do |request|
      now = Time.now.utc
      limit, period = request.env['rack.attack.match_data'].values_at(:limit, :period)
      headers = {
        'Content-Type' => 'application/json',
        'X-RateLimit-Limit' => limit.to_s,
        'X-RateLimit-Remaining' => '0',
        'X-RateLimit-Reset' => (now + (period - (now.to_i % period))).iso8601(6),
      }
      [429, headers, [{ error: 'Too many requests' }.to_json]]
    end
  end
end
