# frozen_string_literal: true

require_relative 'boot'

require 'logger'
require 'rails'
require 'action_controller/railtie'
require 'action_view/railtie'
require 'action_mailer/railtie'
require 'active_job/railtie'
require 'mail'
require 'sidekiq'
require 'dotenv'
require 'lograge'
require 'rack/attack'
require 'redis'

require_relative '../lib/mastodon/version'
require_relative '../lib/mastodon/email_configuration_helper'
require_relative '../lib/lab/mailer_era'
require_relative '../lib/lab/mail_gem'
require_relative '../lib/lab/rails_8_1'
require_relative '../lib/lab/redis_address'

Lab::Rails81.install

# The files and their order are those of dotenv's Railtie, which Mastodon has: the first file that names a variable wins, and
# what the process already has wins over every file. dotenv 3 brings the Railtie along, which does it when the class below is
# opened, and says so in the log; for Debian's 2.4 it is done here.
unless defined?(Dotenv::Rails)
  names = %W[.env.#{Rails.env}.local .env.local .env.#{Rails.env} .env]
  Dotenv.load(*names.map { |name| File.expand_path("../#{name}", __dir__) })
end

module Mastodon
  class Application < Rails::Application
    config.load_defaults Lab::MailerEra.rails_defaults

    config.active_job.queue_adapter = :sidekiq

    # The release decides which queue its mail goes to: see Lab::MailerEra.
    config.action_mailer.deliver_later_queue_name = Lab::MailerEra.current.queue

    # From 4.4 on the mail settings take the way through config/email.yml (ERB, then YAML).
    config.x.email = config_for(:email) if Lab::MailerEra.current.email_yml?

    config.x.local_domain = ENV.fetch('LOCAL_DOMAIN') { "localhost:#{ENV.fetch('PORT', 3000)}" }
    config.x.web_domain = ENV.fetch('WEB_DOMAIN') { config.x.local_domain }
    config.action_mailer.default_url_options = { host: config.x.web_domain, protocol: 'https', trailing_slash: false }

    config.secret_key_base = ENV.fetch('SECRET_KEY_BASE')
    config.x.otp_secret = ENV.fetch('OTP_SECRET') unless Lab::Release.at_least?('4.4.0-beta.1') # dropped by #34748

    config.session_store :cookie_store, key: '_mastodon_session', secure: true, same_site: :lax
  end
end
