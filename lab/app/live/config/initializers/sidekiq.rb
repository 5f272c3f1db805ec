# frozen_string_literal: true

redis = Lab::RedisAddress.sidekiq

Sidekiq.configure_server do |config|
  config.redis = redis

  # For an orchestrator that asks whether Sidekiq is ready: since 4.3 (#30971, #30988).
  ready = ENV.fetch('MASTODON_SIDEKIQ_READY_FILENAME', nil)
  if ready && Lab::Release.at_least?('4.3.0-beta.1')
    raise 'MASTODON_SIDEKIQ_READY_FILENAME is not a valid filename' if File.basename(ready) != ready

    path = Rails.root.join('tmp', ready)
    config.on(:startup) { FileUtils.touch(path) }
    config.on(:shutdown) { FileUtils.rm_f(path) }
  end
end
Sidekiq.configure_client { |config| config.redis = redis }

Sidekiq.logger.level = ::Logger.const_get(ENV.fetch('RAILS_LOG_LEVEL', 'info').upcase)
