# frozen_string_literal: true

require 'yaml'

# An account holder. Mastodon has them in PostgreSQL; here they are read from db/users.yml at every look-up. The names, and who
# gets a mail, are those of Mastodon's model (app/models/user.rb) and of Devise (Devise::Models::Recoverable).
class User
  include GlobalID::Identification

  FILE = Rails.root.join('db/users.yml')

  # What Active Record's relation does with columns that are asked for by name.
  Rows = Struct.new(:users) do
    def pluck(*columns)
      users.map { |user| columns.map { |column| user.public_send(column) } }
    end
  end

  attr_reader :id, :email, :locale, :encrypted_password, :account

  class << self
    delegate :reset_password_keys, :reset_password_within, :confirm_within, to: '::Devise'

    def all
      YAML.safe_load(FILE.read).map { |row| new(row) }
    end

    def find(id)
      find_by(id: id.to_i) || raise(KeyError, "no user #{id}")
    end

    def find_by(attributes)
      all.find { |user| attributes.all? { |name, value| user.public_send(name) == value } }
    end

    # GlobalID finds a record within it.
    def unscoped
      block_given? ? yield : self
    end

    def where(id:)
      wanted = Array(id).map(&:to_i)
      Rows.new(all.select { |user| wanted.include?(user.id) })
    end

    # As Devise looks for it: blanks around it and the case do not matter. One that is not persisted when there is none.
    def find_or_initialize_with_errors(keys, attributes, _error = :invalid)
      wanted = attributes.to_h.symbolize_keys.slice(*keys).transform_values { |value| value.to_s.strip.downcase }
      (find_by(wanted) if wanted.values.all?(&:present?)) || new('email' => wanted[:email].to_s)
    end

    def send_reset_password_instructions(attributes = {})
      found = find_or_initialize_with_errors(reset_password_keys, attributes, :not_found)
      found.send_reset_password_instructions if found.persisted?
      found
    end

    def redis
      @redis ||= Redis.new(url: Lab::RedisAddress.base)
    end
  end

  def initialize(row)
    @id = row['id']
    @email = row.fetch('email')
    @locale = row['locale']
    @confirmed, @approved, @disabled = row.fetch('confirmed', true), row.fetch('approved', true), row.fetch('disabled', false)
    @encrypted_password = row.fetch('password', true) ? '$2a$10$of.nobody' : ''
    @account = Account.new(id: @id, username: row['username'], memorial: row['memorial'] == true, suspended: row['suspended'] == true)
  end

  def persisted?
    !id.nil?
  end

  def confirmed?
    @confirmed
  end

  def confirmed_at
    Time.at(0).utc if confirmed?
  end

  # Nobody changes an address here.
  def unconfirmed_email; end

  def approved?
    @approved
  end

  def disabled?
    @disabled
  end

  def active_for_authentication?
    !account.memorial?
  end

  # Nothing to reset without a password (an account of an external sign-in).
  def send_reset_password_instructions
    return false if encrypted_password.blank?

    Devise.friendly_token.tap do |token|
      keep('reset_password_token', Devise.token_generator.digest(User, :reset_password_token, token))
      keep('reset_password_sent_at', Time.now.utc.iso8601(6))
      UserMailer.reset_password_instructions(self, token).deliver_later
    end
  end

  # The same token again, as long as it works.
  def send_confirmation_instructions
    unless confirmation_token && confirmation_sent_at >= self.class.confirm_within.ago.utc
      keep('confirmation_token', Devise.friendly_token)
      keep('confirmation_sent_at', Time.now.utc.iso8601(6))
    end
    UserMailer.confirmation_instructions(self, confirmation_token).deliver_later
  end

  # In Redis, for want of a database: other processes see them.
  %w[reset_password_token confirmation_token].each { |name| define_method(name) { kept(name) } }
  %w[reset_password_sent_at confirmation_sent_at].each do |name|
    define_method(name) { kept(name)&.then { |text| Time.iso8601(text) } }
  end

  def keep(name, value)
    self.class.redis.hset("lab:user:#{id}", name, value)
  end

  def reset_password_period_valid?
    reset_password_sent_at && reset_password_sent_at >= self.class.reset_password_within.ago.utc
  end

  private

  def kept(name)
    self.class.redis.hget("lab:user:#{id}", name)
  end
end
