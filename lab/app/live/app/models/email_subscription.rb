# frozen_string_literal: true

require 'yaml'

# Somebody who follows an account by mail, without one of their own (Mastodon 4.6). In a file, as the users.
class EmailSubscription
  include GlobalID::Identification

  FILE = Rails.root.join('db/email_subscriptions.yml')

  attr_reader :id, :email, :account

  def self.find(id)
    row = YAML.safe_load(FILE.read).find { |each| each['id'] == id.to_i } || raise(KeyError, "no subscription #{id}")
    new(row)
  end

  def initialize(row)
    @id, @email = row.values_at('id', 'email')
    @account = User.find(row['user']).account
  end
end
