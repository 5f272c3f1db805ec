# frozen_string_literal: true

module Lab
  # Where Redis is, as Mastodon finds it (lib/mastodon/redis_configuration.rb, before 4.3 lib/mastodon/redis_config.rb):
  # REDIS_URL or its parts; CACHE_REDIS_... and SIDEKIQ_REDIS_... for the two that may have a Redis of their own. Since 4.3
  # Sidekiq's may be named by its sentinels (SIDEKIQ_REDIS_SENTINELS, SIDEKIQ_REDIS_SENTINEL_MASTER).
  module RedisAddress
    DEFAULTS = { 'HOST' => 'localhost', 'PORT' => '6379', 'DB' => '0' }.freeze

    module_function

    def base
      url('', DEFAULTS)
    end

    def cache
      url('CACHE_') || base
    end

    # What Sidekiq is given: a URL, and, where there are sentinels, what they are asked.
    def sidekiq
      sentinels = ENV.fetch('SIDEKIQ_REDIS_SENTINELS', '').split(',').map { |one| one.split(':').then { |host, port| { host: host, port: (port || 26_379).to_i } } }
      name = ENV.fetch('SIDEKIQ_REDIS_SENTINEL_MASTER', nil).presence
      return { url: url('SIDEKIQ_') || base } unless name && sentinels.any? && Release.at_least?('4.3.0-beta.1')

      password = ENV.fetch('SIDEKIQ_REDIS_PASSWORD', nil).presence
      { url: "redis://#{":#{CGI.escape(password)}@" if password}#{name}/0", name: name, sentinels: sentinels, sentinel_password: password }
    end

    def url(prefix, defaults = {})
      part = ->(name) { ENV.fetch("#{prefix}REDIS_#{name}", nil).presence || defaults[name] }
      return part['URL'] if part['URL']
      return unless part['HOST']

      password = ":#{CGI.escape(part['PASSWORD'])}@" if part['PASSWORD']
      "redis://#{password}#{part['HOST']}:#{part['PORT'] || 6379}/#{part['DB'] || 0}"
    end
  end
end
