# frozen_string_literal: true

# 4.0, what changed since 3.5 (#20321, #20377): SMTP_ENABLE_STARTTLS with its three words; after any other text the
# automatic switch counts as before.
require_relative 'v3_5'

Rails.application.configure do
  words = { 'always' => [true, nil], 'never' => [false, nil], 'auto' => [nil, true] }
  required, automatic = words.fetch(ENV['SMTP_ENABLE_STARTTLS']) { [nil, ENV['SMTP_ENABLE_STARTTLS_AUTO'] != 'false'] }

  config.action_mailer.smtp_settings.merge!(enable_starttls: required, enable_starttls_auto: automatic)
end
