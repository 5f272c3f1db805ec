# frozen_string_literal: true

require 'rubygems'

module Lab
  # The release in lib/mastodon/version.rb, as something that can be compared.
  module Release
    module_function

    def at_least?(release)
      comparable(Mastodon::Version.to_s) >= comparable(release)
    end

    # 4.2.0rc1 (before 4.2) and 4.2.0-rc1 (since) are the same pre-release to Gem::Version once the hyphen is there.
    def comparable(release)
      Gem::Version.new(release.split('+').first.sub(/(\d)(rc|beta|alpha)/, '\1-\2'))
    end
  end
end
