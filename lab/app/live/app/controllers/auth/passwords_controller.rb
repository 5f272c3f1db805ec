# frozen_string_literal: true

module Auth
  class PasswordsController < ApplicationController
    NEUTRAL = 'If your email address exists in our database, you will receive a password recovery link at your email ' \
              'address in a few minutes.'

    def new; end

    # The answer is the same for every address: it must not tell who has an account.
    def create
      User.send_reset_password_instructions(params.fetch(:user, {}).permit(:email).to_h)
      redirect_to new_user_session_path, status: :see_other, notice: NEUTRAL
    end

    def edit
      redirect_to new_user_session_path
    end
  end
end
