# frozen_string_literal: true

# Mail to everybody at once goes through the bulk relay, if there is one: its settings replace the others as a whole.
module BulkMailSettingsConcern
  private

  def use_bulk_mail_delivery_settings
    bulk = Rails.configuration.x.email.bulk_mail
    settings = bulk && bulk[:smtp_settings]
    return if settings.nil? || settings[:address].blank?

    mail.delivery_method.settings = Mastodon::EmailConfigurationHelper.convert_smtp_settings(settings)
  end
end
