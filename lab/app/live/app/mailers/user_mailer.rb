# frozen_string_literal: true

class UserMailer < ApplicationMailer
  include BulkMailSettingsConcern

  after_action :use_bulk_mail_delivery_settings, only: %i[announcement_published terms_of_service_changed]

  def reset_password_instructions(user, token)
    @user = user
    @token = token

    # No mail at all to a memorial account; the job still ends well.
    return unless user.active_for_authentication?

    mail to: user.email, subject: 'Mastodon: Reset password instructions'
  end

  def confirmation_instructions(user, token)
    @token = token
    return unless user.active_for_authentication?

    mail to: user.email, subject: 'Mastodon: Confirmation instructions'
  end

  def announcement_published(user, text)
    @text = text
    mail to: user.email, subject: 'Service announcement'
  end

  def terms_of_service_changed(user, text)
    @text = text
    mail to: user.email, subject: 'Updates to our terms of service'
  end
end
