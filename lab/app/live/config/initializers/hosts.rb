# frozen_string_literal: true

# Requests for other host names are refused, save the health check (in Mastodon: config/initializers/1_hosts.rb).
Rails.application.configure do
  config.hosts << config.x.local_domain
  config.hosts << config.x.web_domain
  config.hosts.concat(ENV.fetch('ALTERNATE_DOMAINS', '').split(/\s*,\s*/))
  config.host_authorization = { exclude: ->(request) { request.path == '/health' } }
end
