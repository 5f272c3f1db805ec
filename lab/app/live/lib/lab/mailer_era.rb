# frozen_string_literal: true

require_relative 'email_yml'
require_relative 'release'

module Lab
  # Which of Mastodon's ways of reading the mail settings this application follows: chosen by lib/mastodon/version.rb
  # alone, so that an "upgrade" is a change of that file and a restart. One row per change in Mastodon's history; the
  # sources of the rows are in docs/lab.md.
  class MailerEra
    ROOT = File.expand_path('../..', __dir__)

    attr_reader :from, :settings, :helper, :mail_gem, :queue

    # settings is a file in config/mailer_eras; mail_gem the version of the mail gem whose TLS rules that release has;
    # email_yml how config/email.yml writes its values (:bare, :quoted), helper the version of its settings helper.
    def initialize(from, settings:, mail_gem:, queue:, email_yml: nil, helper: nil)
      @from = from
      @settings = settings
      @mail_gem = mail_gem
      @queue = queue
      @email_yml = email_yml
      @helper = helper
    end

    ALL = [
      new('0',          settings: 'v3_4',   mail_gem: '2.7.1', queue: 'mailers'),
      new('3.5.0',      settings: 'v3_5',   mail_gem: '2.7.1', queue: 'default'),
      new('4.0.0',      settings: 'v4_0',   mail_gem: '2.7.1', queue: 'mailers'),
      new('4.1.0',      settings: 'v4_0',   mail_gem: '2.8.1', queue: 'mailers'),
      new('4.1.1',      settings: 'v4_1_1', mail_gem: '2.8.1', queue: 'mailers'),
      new('4.4.0-rc.1', settings: 'v4_4',   mail_gem: '2.8.1', queue: 'mailers', email_yml: :bare, helper: 1),
      new('4.4.1',      settings: 'v4_4',   mail_gem: '2.8.1', queue: 'mailers', email_yml: :quoted, helper: 1),
      new('4.5.0-rc.1', settings: 'v4_4',   mail_gem: '2.9.0', queue: 'mailers', email_yml: :quoted, helper: 1),
      new('4.5.0-rc.2', settings: 'v4_4',   mail_gem: '2.9.0', queue: 'mailers', email_yml: :quoted, helper: 2),
    ].freeze

    def self.current
      @current ||= of(Mastodon::Version.to_s)
    end

    # The era of a release such as "4.5.0-rc.2+glitch": the last row that is not newer.
    def self.of(release)
      version = Release.comparable(release)
      ALL.reverse_each.find { |era| Release.comparable(era.from) <= version }
    end

    def settings_file
      File.join(ROOT, 'config/mailer_eras', "#{settings}.rb")
    end

    def email_yml?
      !@email_yml.nil?
    end

    # What config/email.yml of that release says after its ERB ran: YAML as text, with all that can go wrong in it.
    def email_yml
      EmailYml.render(quoted: @email_yml == :quoted)
    end

    # config.load_defaults in config/application.rb of each release. 4.4 has 8.0 and 4.6 has 8.1, which no Rails here knows.
    RAILS_DEFAULTS = { '4.4.0-beta.1' => 7.2, '4.3.0-beta.1' => 7.1, '4.2.0-beta1' => 7.0 }.freeze

    def self.rails_defaults
      wanted = RAILS_DEFAULTS.find { |release, _| Release.at_least?(release) }&.last || 6.1
      [wanted, "#{Rails::VERSION::MAJOR}.#{Rails::VERSION::MINOR}".to_f].min
    end

    # One of these defaults (config.action_mailer.smtp_timeout): five seconds where nothing else is said.
    def self.smtp_timeout
      5 if Release.at_least?('4.2.0-beta1')
    end
  end
end
