# frozen_string_literal: true

# Runs on a lab host in the application's folder. Standard input: JSON {bare: [text], senders: [text]}. Standard output: a
# line of JSON with what Psych makes of each bare text as a value, and whether the mail gem refuses each sender.
require 'json'
require 'mail'
require 'yaml'

ASKED = JSON.parse($stdin.read)

def bare(text)
  document = "production:\n  smtp_settings:\n    domain: #{text}\n    authentication: plain\n"
  value = YAML.unsafe_load(document)['production']['smtp_settings']['domain']
  case value
  when nil, true, false, Integer, String then [value.class.name, value]
  when Symbol then ['Symbol', value.to_s]
  when Float then value.finite? ? ['Float', value] : %w[odd Float]
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

puts JSON.generate('bare' => ASKED['bare'].map { |text| bare(text) },
                   'senders' => ASKED['senders'].map { |text| refused(text) },
                   'versions' => [RUBY_VERSION, Psych::VERSION, Mail::VERSION.version])
