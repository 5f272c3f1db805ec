# frozen_string_literal: true

# 4.4 and later (#35191): everything comes from config/email.yml, which is ERB and then YAML; the settings helper turns
# it into what Action Mailer takes. Which email.yml and which helper: Lab::MailerEra.
Rails.application.configure do
  email = config.x.email
  from_domain = Mail::Address.new(email.from_address).domain

  config.action_mailer.default_options = {
    from: email.from_address,
    message_id: -> { "<#{Mail.random_tag}@#{from_domain}>" },
  }
  config.action_mailer.default_options[:reply_to] = email.reply_to if email.reply_to.present?
  config.action_mailer.default_options[:return_path] = email.return_path if email.return_path.present?

  config.action_mailer.smtp_settings = Mastodon::EmailConfigurationHelper.convert_smtp_settings(email.smtp_settings)
  config.action_mailer.delivery_method = email.delivery_method.to_sym
end
