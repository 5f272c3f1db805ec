# frozen_string_literal: true

# Debian 12 pairs Sidekiq 6.4 with a redis gem that complains about each of its calls.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)
