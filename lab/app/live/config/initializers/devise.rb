# frozen_string_literal: true

# In the place of the gem, which Debian 13 has not: what Mastodon's file of this name sets of it, and its tokens.
module Devise
  mattr_accessor :reset_password_within, default: 6.hours
  mattr_accessor :reset_password_keys, default: [:email]
  mattr_accessor :confirm_within, default: 2.days

  class << self
    def friendly_token
      SecureRandom.urlsafe_base64(15).tr('lIO0', 'sxyz')
    end

    def token_generator
      self
    end

    # What is kept of a reset's token, which is known to the mail alone.
    def digest(_model, column, value)
      key = Rails.application.key_generator.generate_key("Devise #{column}")
      OpenSSL::HMAC.hexdigest('SHA256', key, value.to_s)
    end
  end
end
