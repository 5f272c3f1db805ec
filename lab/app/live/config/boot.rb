# frozen_string_literal: true

# As in Mastodon, everything starts through Bundler: config/boot.rb there requires 'bundler/setup' too.
ENV['BUNDLE_GEMFILE'] ||= File.expand_path('../Gemfile', __dir__)

require 'bundler/setup'
