# frozen_string_literal: true

# 4.1.1 to 4.3, what changed since 4.0 (#23750): 20 seconds for an answer, because the mail gem had come down to 5.
require_relative 'v4_0'

Rails.application.configure do
  config.action_mailer.smtp_settings[:read_timeout] = 20
end
