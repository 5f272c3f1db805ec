# frozen_string_literal: true

# As in Mastodon: a mail about what is gone from the database is dropped.
ActionMailer::MailDeliveryJob.discard_on ActiveJob::DeserializationError
