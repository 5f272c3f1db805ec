# frozen_string_literal: true

# 3.4 and before (config/environments/production.rb before #17216): every text in SMTP_TLS or SMTP_SSL means TLS, and
# nothing that is written in SMTP_ENABLE_STARTTLS_AUTO switches STARTTLS off.
Rails.application.configure do
  smtp = ->(name) { ENV["SMTP_#{name}"] }
  method = smtp['AUTH_METHOD'] || :plain
  from = smtp['FROM_ADDRESS'] || 'notifications@localhost'
  from_domain = Mail::Address.new(from).domain

  config.action_mailer.default_options = { from: from, message_id: -> { "<#{Mail.random_tag}@#{from_domain}>" } }
  config.action_mailer.default_options[:reply_to] = smtp['REPLY_TO'] if smtp['REPLY_TO'].present?
  config.action_mailer.delivery_method = (smtp['DELIVERY_METHOD'] || 'smtp').to_sym

  config.action_mailer.smtp_settings = {
    address: smtp['SERVER'],
    port: smtp['PORT'],
    user_name: smtp['LOGIN'].presence,
    password: smtp['PASSWORD'].presence,
    domain: smtp['DOMAIN'] || ENV['LOCAL_DOMAIN'],
    authentication: method == 'none' ? nil : method,
    ca_file: smtp['CA_FILE'].presence,
    openssl_verify_mode: smtp['OPENSSL_VERIFY_MODE'],
    enable_starttls_auto: smtp['ENABLE_STARTTLS_AUTO'] || true,
    tls: smtp['TLS'].presence,
    ssl: smtp['SSL'].presence,
  }
end
