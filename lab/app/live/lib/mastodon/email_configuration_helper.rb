# frozen_string_literal: true

module Mastodon
  # From the settings of config/email.yml to those of Action Mailer. The name and the arguments are Mastodon's; version 1
  # came with 4.4.0 (#35191, #35203), version 2 with 4.5.0-rc.2 (#36646).
  module EmailConfigurationHelper
    module_function

    def convert_smtp_settings(config)
      method = config[:authentication]
      method = method == 'none' ? nil : (method || 'plain')

      if Lab::MailerEra.current.helper == 1
        EmailConfigurationHelper.version_1(config, method)
      else
        EmailConfigurationHelper.version_2(config, method)
      end
    end

    # Compares with the text 'false', which YAML never delivers: "false" has become a boolean by then.
    def self.version_1(config, method)
      required, automatic = { 'always' => [true, nil], 'never' => [false, nil], 'auto' => [nil, true] }
                            .fetch(config[:enable_starttls]) { [nil, config[:enable_starttls_auto] != 'false'] }
      config.merge(authentication: method, enable_starttls: required, enable_starttls_auto: automatic)
    end

    def self.version_2(config, method)
      fallback = (config[:enable_starttls_auto] ? :auto : false) unless config[:tls] || config[:ssl]
      starttls = { 'always' => :always, 'never' => false, 'false' => false, 'auto' => :auto }
                 .fetch(config[:enable_starttls], fallback)
      config.except(:enable_starttls_auto).merge(authentication: method, enable_starttls: starttls)
    end
  end
end
