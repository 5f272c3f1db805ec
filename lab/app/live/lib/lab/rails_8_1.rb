# frozen_string_literal: true

module Lab
  # Mastodon 4.6 has Rails 8.1.3 (Gemfile.lock since 4.6.0-beta.1), no Debian has. What it changed for mail is played: from
  # Rails 8.1.1 to 8.1.3.1 an abstract class has no actions of its own any more (rails/rails df9f43214c6, #56449), so
  # ActionMailer::Base.mail is an undefined method. A mailer derived from it has the actions that it always had.
  module Rails81
    # Mastodon's main moved to it within 4.6.0-alpha.5 (#36505).
    SINCE = '4.6.0-alpha.6'

    def self.install
      AbstractController::Base.singleton_class.prepend(self) if Release.at_least?(SINCE)
    end

    def action_methods
      abstract? ? Set.new : super
    end
  end
end
