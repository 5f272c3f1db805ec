# frozen_string_literal: true

# As in Mastodon, everything starts through Bundler and Bootsnap: config/boot.rb there requires the same two.
ENV['BUNDLE_GEMFILE'] ||= File.expand_path('../Gemfile', __dir__)

require 'bundler/setup'
require 'bootsnap/setup'
