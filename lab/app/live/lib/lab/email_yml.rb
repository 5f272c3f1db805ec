# frozen_string_literal: true

require 'json'

module Lab
  # The text of config/email.yml after its ERB ran. It is put together from environment variables without a look at what
  # they hold, as Mastodon's is: YAML decides afterwards what a value is, or that the file cannot be read at all (#35305).
  module EmailYml
    CA_FILE = '/etc/ssl/certs/ca-certificates.crt'

    # In 4.4.1 these became JSON (#35314); in 4.4.0 nothing is quoted.
    QUOTED = %i[from_address reply_to return_path address user_name password].freeze

    module_function

    def render(quoted:)
      lines = ['production:']
      lines += rows('  ', quoted, delivery_method: env('SMTP_DELIVERY_METHOD', 'smtp'),
                                  from_address: env('SMTP_FROM_ADDRESS', 'notifications@localhost'),
                                  reply_to: env('SMTP_REPLY_TO'),
                                  return_path: env('SMTP_RETURN_PATH'))
      lines << '  smtp_settings:'
      lines += rows('    ', quoted, relay('SMTP_'))
      lines << '  bulk_mail:' << '    smtp_settings:'
      lines += rows('      ', quoted, relay('BULK_SMTP_'))
      lines.join("\n")
    end

    def relay(prefix)
      value = ->(name, default = nil) { env("#{prefix}#{name}", default) }
      {
        address: value['SERVER'],
        port: value['PORT'],
        user_name: value['LOGIN'],
        password: value['PASSWORD'],
        domain: value['DOMAIN', env('LOCAL_DOMAIN')],
        authentication: value['AUTH_METHOD', 'plain'],
        ca_file: value['CA_FILE', CA_FILE],
        openssl_verify_mode: value['OPENSSL_VERIFY_MODE'],
        enable_starttls: value['ENABLE_STARTTLS'],
        enable_starttls_auto: value['ENABLE_STARTTLS_AUTO'] != 'false',
        tls: (true if value['TLS'] == 'true'),
        ssl: (true if value['SSL'] == 'true'),
        read_timeout: 20,
      }
    end

    def rows(indent, quoted, values)
      values.map { |key, value| "#{indent}#{key}: #{quoted && QUOTED.include?(key) ? value.to_json : value}" }
    end

    def env(name, default = nil)
      ENV.fetch(name, default)
    end
  end
end
