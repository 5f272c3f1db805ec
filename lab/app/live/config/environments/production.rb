# frozen_string_literal: true

Rails.application.configure do
  if config.respond_to?(:enable_reloading=)
    config.enable_reloading = false
  else
    config.cache_classes = true
  end
  config.eager_load = true
  config.consider_all_requests_local = false
  config.public_file_server.enabled = false

  # To standard output, hence to the journal. Lines of the older generation begin with their tags, those of the newer
  # with level, time and process: who reads the journal must know both.
  config.log_level = ENV.fetch('RAILS_LOG_LEVEL', 'info').to_sym
  config.log_tags = [:request_id]
  ActiveSupport::Logger.new($stdout).tap do |logger|
    logger.formatter = ::Logger::Formatter.new if Rails::VERSION::MAJOR >= 7
    config.logger = ActiveSupport::TaggedLogging.new(logger)
  end
  config.lograge.enabled = true

  config.active_support.deprecation = :notify

  # Plain requests are sent to https, save the health check; a proxy in front says so in X-Forwarded-Proto.
  config.force_ssl = true
  config.ssl_options = { redirect: { exclude: ->(request) { request.path.start_with?('/health') } } }

  # Only a proxy that is trusted may say whose request it brings.
  if ENV['TRUSTED_PROXY_IP'].present?
    config.action_dispatch.trusted_proxies = ENV['TRUSTED_PROXY_IP'].split(/[\s,]+/).map { |proxy| IPAddr.new(proxy) }
  end

  # As Mastodon's, where rack-attack counts: a restart takes nothing from it. One connection for all threads, because Rails
  # 7.2 cannot use the connection_pool 3 of forky.
  config.cache_store = :redis_cache_store,
                       { url: Lab::RedisAddress.cache, namespace: 'cache', expires_in: 10.minutes, connect_timeout: 5, pool: false }

  config.action_mailer.perform_caching = false
  config.action_dispatch.default_headers = { 'Server' => 'Mastodon', 'X-Frame-Options' => 'DENY' }
end

# The mail settings, as the release in lib/mastodon/version.rb makes them.
require Lab::MailerEra.current.settings_file
Rails.application.configure do
  if (seconds = Lab::MailerEra.smtp_timeout)
    config.action_mailer.smtp_settings[:open_timeout] ||= seconds
    config.action_mailer.smtp_settings[:read_timeout] ||= seconds
  end
end
Lab::MailGem.install(Lab::MailerEra.current.mail_gem)
