# frozen_string_literal: true

# In the place of the gem, which Debian 13 has not: what Mastodon's file of this name sets of it.
module Devise
  mattr_accessor :reset_password_within, default: 6.hours
  mattr_accessor :reset_password_keys, default: [:email]
end
