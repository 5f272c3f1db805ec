# frozen_string_literal: true

module Lab
  # Debian has one version of the mail gem per release; Mastodon has had three. What differs for the TLS mode is how a
  # session is built from the settings, so that one step follows the version that the Mastodon release has.
  # The rest (message, AUTH, envelope, errors) is Debian's mail gem and the net-smtp of its Ruby.
  module MailGem
    EXCLUSIVE = ":enable_starttls and :tls are mutually exclusive. Set :tls if you're on an SMTPS connection. " \
                "Set :enable_starttls if you're on an SMTP connection and using STARTTLS for secure TLS upgrade."

    # 2.9.1 is 2.9.0 here: its smtp.rb is the same.
    def self.install(version)
      return if { '2.9.1' => '2.9.0' }.fetch(Mail::VERSION.version, Mail::VERSION.version) == version

      Mail::SMTP.prepend({ '2.7.1' => V27, '2.8.1' => V28, '2.9.0' => V29 }.fetch(version))
    end

    # What the three have in common: a session, its TLS mode, its timeouts.
    module Session
      private

      def build_smtp_session
        smtp = Net::SMTP.new(settings[:address], settings[:port])
        choose_tls(smtp)
        smtp.open_timeout = settings[:open_timeout] if settings[:open_timeout]
        smtp.read_timeout = settings[:read_timeout] if settings[:read_timeout]
        smtp
      end
    end

    # 2.7: whatever is truthy counts; nothing switches STARTTLS off; no timeouts unless set.
    module V27
      include Session

      def initialize(values)
        super({ open_timeout: nil, read_timeout: nil }.merge(values))
      end

      private

      def choose_tls(smtp)
        if settings[:tls] || settings[:ssl]
          smtp.enable_tls(ssl_context)
        elsif settings[:enable_starttls]
          smtp.enable_starttls(ssl_context)
        elsif settings[:enable_starttls_auto]
          smtp.enable_starttls_auto(ssl_context)
        end
      end
    end

    # 2.8.1: the first setting that is not nil decides, a literal false included; anything but true and false raises.
    module V28
      include Session

      def initialize(values)
        super({ open_timeout: 5, read_timeout: 5 }.merge(values))
      end

      private

      def choose_tls(smtp)
        implicit = settings[:tls] || settings[:ssl]
        return boolean(:tls, implicit) { |on| on ? smtp.enable_tls(ssl_context) : smtp.disable_tls } unless implicit.nil?

        required = settings[:enable_starttls]
        unless required.nil?
          return boolean(:enable_starttls, required) { |on| on ? smtp.enable_starttls(ssl_context) : smtp.disable_starttls }
        end

        automatic = settings[:enable_starttls_auto]
        return if automatic.nil?

        boolean(:enable_starttls_auto, automatic) { |on| on ? smtp.enable_starttls_auto(ssl_context) : smtp.disable_starttls }
      end

      def boolean(name, value)
        return yield(value) if [true, false].include?(value)

        raise ArgumentError, "Unrecognized :#{name} value #{settings[name].inspect}; expected true, false, or nil"
      end
    end

    # 2.9.0: TLS from the first byte and STARTTLS exclude each other.
    module V29
      include Session

      def initialize(values)
        super({ open_timeout: 5, read_timeout: 5, enable_starttls_auto: nil }.merge(values))
      end

      private

      def choose_tls(smtp)
        starttls = settings[:enable_starttls]
        automatic = settings[:enable_starttls_auto]

        if settings[:tls] || settings[:ssl]
          raise ArgumentError, EXCLUSIVE if starttls || automatic

          smtp.disable_starttls
          return smtp.enable_tls(ssl_context)
        end

        smtp.disable_tls
        case starttls_mode(starttls, automatic)
        when :always then smtp.enable_starttls(ssl_context)
        when :auto then smtp.enable_starttls_auto(ssl_context)
        else smtp.disable_starttls
        end
      end

      def starttls_mode(starttls, automatic)
        return starttls == :auto ? :auto : :always if starttls
        return automatic ? :auto : :never unless automatic.nil?

        starttls.nil? ? :auto : :never
      end
    end
  end
end
