# frozen_string_literal: true

# As Mastodon's, this file runs before config/application.rb has read .env.production: what is written there about SOCKET,
# BIND, PORT, WEB_CONCURRENCY, MAX_THREADS and the others changes nothing here. They come from the unit or the container.
persistent_timeout ENV.fetch('PERSISTENT_TIMEOUT', 20).to_i

most = ENV.fetch('MAX_THREADS', 5).to_i
threads ENV.fetch('MIN_THREADS', most).to_i, most

if ENV['SOCKET']
  bind "unix://#{ENV['SOCKET']}"
else
  bind "tcp://#{ENV.fetch('BIND', '127.0.0.1')}:#{ENV.fetch('PORT', 3000)}"
end

environment ENV.fetch('RAILS_ENV', 'development')
workers ENV.fetch('WEB_CONCURRENCY', 2).to_i

preload_app!
plugin :tmp_restart
