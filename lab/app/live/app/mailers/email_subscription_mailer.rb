# frozen_string_literal: true

# Mastodon 4.6: posts to those who follow an account by mail. All but the question whether they want to is bulk.
class EmailSubscriptionMailer < ApplicationMailer
  include BulkMailSettingsConcern

  before_action { @subscription = params[:subscription] }
  after_action :use_bulk_mail_delivery_settings, except: [:confirmation]

  default to: -> { @subscription.email }

  def confirmation
    mail subject: "Confirm that you follow #{@subscription.account.username} by mail"
  end

  # The texts of the posts; in Mastodon, the posts.
  def notification(statuses)
    @statuses = statuses
    mail subject: "New posts from #{@subscription.account.username}"
  end
end
