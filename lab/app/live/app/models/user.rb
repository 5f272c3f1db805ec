# frozen_string_literal: true

require 'yaml'

# An account holder. Mastodon has them in PostgreSQL; here they are read from db/users.yml at every look-up.
class User
  include GlobalID::Identification

  FILE = Rails.root.join('db/users.yml')

  attr_reader :id, :username, :email

  def self.all
    YAML.safe_load(FILE.read).map { |row| new(row) }
  end

  def self.find(id)
    all.find { |user| user.id == id.to_i } || raise(KeyError, "no user #{id}")
  end

  # As Devise looks for it: blanks around it and the case do not matter.
  def self.find_by_email(email)
    all.find { |user| user.email == email.to_s.strip.downcase }
  end

  def initialize(row)
    @id = row.fetch('id')
    @username = row.fetch('username')
    @email = row.fetch('email')
    @confirmed = row.fetch('confirmed', true)
    @disabled = row.fetch('disabled', false)
    @password = row.fetch('password', true)
  end

  def active_for_authentication?
    @confirmed && !@disabled
  end

  # Nothing to reset without a password (an account of an external sign-in).
  def send_reset_password_instructions
    return false unless @password

    UserMailer.reset_password_instructions(self, SecureRandom.urlsafe_base64(15)).deliver_later
  end
end
