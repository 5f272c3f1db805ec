# frozen_string_literal: true

# 3.5, what changed since 3.4: only the text "true" means TLS and "false" switches automatic STARTTLS off (#17216), there
# is a CA file by default (#10857), and SMTP_RETURN_PATH (#17886, #17982).
require_relative 'v3_4'

Rails.application.configure do
  smtp = ->(name) { ENV["SMTP_#{name}"] }
  true_or_false = ->(text) { text.presence && text == 'true' }

  config.action_mailer.default_options[:return_path] = smtp['RETURN_PATH'] if smtp['RETURN_PATH'].present?
  config.action_mailer.smtp_settings.merge!(
    ca_file: smtp['CA_FILE'].presence || '/etc/ssl/certs/ca-certificates.crt',
    enable_starttls_auto: smtp['ENABLE_STARTTLS_AUTO'] != 'false',
    tls: true_or_false[smtp['TLS']],
    ssl: true_or_false[smtp['SSL']]
  )
end
