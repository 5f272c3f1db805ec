# frozen_string_literal: true

module Lab
  # Where Redis is, as Mastodon finds it (lib/mastodon/redis_configuration.rb, before 4.3 lib/mastodon/redis_config.rb):
  # REDIS_URL or its parts; CACHE_REDIS_... and SIDEKIQ_REDIS_... for the two that may have a Redis of their own.
  module RedisAddress
    DEFAULTS = { 'HOST' => 'localhost', 'PORT' => '6379', 'DB' => '0' }.freeze

    module_function

    def base
      url('', DEFAULTS)
    end

    def cache
      url('CACHE_') || base
    end

    def sidekiq
      url('SIDEKIQ_') || base
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
