# frozen_string_literal: true

# Runs on a lab host in the application's folder. Standard input: JSON {bare: [text], senders: [text], passwords: [text],
# modes: [text]}. Standard output: a line of JSON with what Psych makes of each bare text as a value, whether the mail gem
# refuses each sender and whom its envelope names, what CRAM-MD5 makes of each password, and what OpenSSL says to a bare
# text as its verify mode.
require 'json'
require 'mail'
require 'net/smtp'
require 'openssl'
require 'socket'
require 'yaml'

Encoding.default_external = Encoding.default_internal = Encoding::UTF_8 # as Rails does

ASKED = JSON.parse($stdin.read)

def loaded(text)
  document = "production:\n  smtp_settings:\n    domain: #{text}\n    authentication: plain\n"
  %w[production smtp_settings domain].reduce(YAML.unsafe_load(document)) { |found, key| found.is_a?(Hash) ? found[key] : nil }
end

def bare(text)
  value = loaded(text)
  case value
  when nil, true, false, Integer, String then [value.class.name, value]
  when Symbol then ['Symbol', value.to_s]
  when Float then value.finite? ? ['Float', value] : %w[odd Float]
  when Array, Hash then ['odd', "#{'empty ' if value.empty?}#{value.class}"]
  else ['odd', value.class.name]
  end
rescue StandardError, SyntaxError => error
  ['error', error.class.name]
end

def refused(text)
  Mail::Address.new(text)
  false
rescue Mail::Field::ParseError
  true
end

def envelope(text)
  mail = Mail.new
  mail.from = text
  mail.smtp_envelope_from
end

CHALLENGE = '<1896.697170952@postoffice.example>'

def cram_md5(password)
  smtp = defined?(Net::SMTP::AuthCramMD5) ? Net::SMTP::AuthCramMD5.allocate : Net::SMTP.allocate
  smtp.send(:cram_md5_response, password, CHALLENGE.b)
rescue StandardError => error
  error.class.name
end

def verify_mode(text)
  mode = loaded(text)
  mode = OpenSSL::SSL.const_get("VERIFY_#{mode.upcase}") if mode.is_a?(String)
  context = Net::SMTP.default_ssl_context
  context.verify_mode = mode if mode
  OpenSSL::SSL::SSLSocket.new(UNIXSocket.pair.first, context)
  nil
rescue StandardError => error
  error.class.name
end

puts JSON.generate('bare' => ASKED['bare'].map { |text| bare(text) },
                   'senders' => ASKED['senders'].map { |text| refused(text) },
                   'envelopes' => ASKED['senders'].map { |text| envelope(text) },
                   'passwords' => ASKED['passwords'].map { |text| cram_md5(text) },
                   'modes' => ASKED['modes'].map { |text| verify_mode(text) },
                   'versions' => [RUBY_VERSION, Psych::VERSION, Mail::VERSION.version])
