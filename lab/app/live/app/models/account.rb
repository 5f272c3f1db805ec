# frozen_string_literal: true

# What others see of a user.
Account = Struct.new(:id, :username, :memorial, :suspended, keyword_init: true) do
  alias_method :memorial?, :memorial
  alias_method :suspended?, :suspended
end
