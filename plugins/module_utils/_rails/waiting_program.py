# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mails that wait in Sidekiq: the program that counts them in Rails. _waiting/ says what its answer means."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

#: Part of the program that runs in Rails. It only reads, and never tells an address, an argument or a token.
#: - Sets are searched in Redis (SortedSet#scan, sidekiq 6.4 to 8.1), so jobs of other kinds are not transferred.
#: - Times are seconds up to sidekiq 7.3 and milliseconds from 8.0 on. The last failure is retried_at or, after the
#:   first one, failed_at (lib/sidekiq/job_retry.rb). C(ProcessSet.new(false)) does not clean up.
#: - A reset works while the account has its token and the time is not over, one reset at a time (devise:
#:   models/recoverable.rb). A confirmation needs its token, an address to confirm and confirm_within (confirmable.rb).
#: - Not counted: our own plain mails, which are of ActionMailer::Base, and resets for the accounts we test with.
WAITING = r"""
module FediopsWaiting
  SECONDS = 10
  ENTRIES = 100_000
  PAGE = 1000
  GROUPS = 150
  # The end of the year 9998. What is later, or no number, is no time.
  LAST = 253_370_764_799
  RESET = %w[UserMailer reset_password_instructions]
  CONFIRMATION = %w[UserMailer confirmation_instructions]
  Held = Struct.new(:place, :at, :item, :mailer, :action, :values)

  # Ends the count in time. Not an error that anybody rescues.
  class Cut < Exception; end

  class << self
    # Nil where there is no Sidekiq. The block makes an error's message fit to be told. Each mail is also told to heard,
    # with its verdict.
    def look(own, heard = nil, &clean)
      return unless defined?(Sidekiq)
      require "sidekiq/api"
      require "timeout"
      @clean, @own, @heard, @groups, @page, @seen, @started = clean, own, heard, {}, [], {}, nil
      error = nil
      begin
        Timeout.timeout(SECONDS, Cut) { count }
      rescue Cut, StandardError, ScriptError => raised
        error = raised.class.name.to_s
      end
      @page.each { |mail| add(mail, "unknown") }
      { "groups" => @groups.values, "complete" => error.nil?, "error" => error, "now" => Time.now.to_f,
        "started" => @started }
    rescue StandardError, ScriptError
      nil
    end

    # What a job's last error said, fit to be told.
    def error_of(item, values)
      told(item["error_message"].to_s, values)
    end

    # In seconds since 1970, when a job failed last; nil if it never did.
    def last_failure(item)
      seconds(item["retried_at"]) || seconds(item["failed_at"])
    end

    private

    def count
      @started = Sidekiq::ProcessSet.new(false).map { |one| seconds(one["started_at"]) }.compact.max
      { "retry" => Sidekiq::RetrySet, "dead" => Sidekiq::DeadSet, "scheduled" => Sidekiq::ScheduledSet }
        .each { |place, set| set.new.scan("*ActionMailer*", PAGE) { |job| take(place, job.score, job.item) } }
      judge # before the queues, which may be too long to be read to their end
      queues.each { |name| read_queue(name) }
      judge
    end

    def queues
      [ActionMailer::Base.deliver_later_queue_name, "mailers", "default"].compact.map(&:to_s).uniq
    end

    def read_queue(name)
      (0...ENTRIES).step(PAGE) do |first|
        jobs = Sidekiq.redis { |redis| redis.lrange("queue:#{name}", first, first + PAGE - 1) }
        jobs.each { |text| take("queue", nil, JSON.parse(text)) if text.include?("ActionMailer") }
        return if jobs.length < PAGE
      end
      raise Cut
    end

    def take(place, at, item)
      return unless item.is_a?(Hash) && item["wrapped"].to_s.start_with?("ActionMailer::") && !@seen[item["jid"]]
      raise Cut if @seen.length >= ENTRIES
      @seen[item["jid"]] = true
      mailer, method, _now, given = item["args"].first["arguments"]
      return if mailer == "ActionMailer::Base"
      @page << Held.new(place, at, item, named(mailer, /\A[A-Z][\w:]*\z/), named(method, /\A[a-z]\w*\z/), given)
      judge if @page.length >= PAGE
    rescue StandardError
      nil
    end

    def named(name, form)
      name.is_a?(String) && name.length <= 100 && name.valid_encoding? && name.match?(form) ? name : ""
    end

    # How far each mail of the page still makes sense, with one look-up for each kind of record.
    def judge
      mails, verdicts = @page, {}
      begin
        verdicts = verdicts_on(mails)
      rescue StandardError
        verdicts = {}
      end
      @page = []
      mails.each { |mail| add(mail, verdicts.fetch(mail.object_id, "unknown")) }
    end

    def verdicts_on(mails)
      named = mails.map { |mail| [mail, records(mail.values).uniq] }
      wanted = Hash.new { |all, model| all[model] = [] }
      named.each { |_mail, found| found.each { |model, id| wanted[model] << id } }
      there = wanted.map { |model, ids| [model, known(model, ids.uniq)] }.to_h
      named.map do |mail, found|
        [mail.object_id, judged(mail, found, there)]
      end.to_h
    end

    # One odd job, or one model that cannot be asked, says nothing about the others.
    def judged(mail, found, there)
      verdict(mail, found, there)
    rescue StandardError
      "unknown"
    end

    def known(model, ids)
      present(model, ids)
    rescue StandardError, ScriptError
      nil
    end

    # [model, id] of each record that the job names (GlobalID).
    def records(value)
      case value
      when Hash
        gid = value["_aj_globalid"].to_s[%r{\Agid://[^/]+/([A-Z][\w:]*/\w+)}, 1]
        gid ? [gid.split("/")] : value.values.flat_map { |one| records(one) }
      when Array then value.flat_map { |one| records(one) }
      else []
      end
    end

    # id -> the columns that judge a link; nil where the model is not known.
    def present(model, ids)
      kind = model.safe_constantize
      return unless kind.respond_to?(:unscoped)
      columns = %w[id]
      if model == "User"
        columns += %w[email reset_password_token reset_password_sent_at]
        columns += %w[confirmation_token confirmation_sent_at confirmed_at unconfirmed_email]
      end
      rows = kind.unscoped.where(id: ids).pluck(*columns).map { |row| columns.zip(Array(row)).to_h }
      rows.map { |row| [row["id"].to_s, row] }.to_h
    end

    def verdict(mail, found, there)
      return "gone" if found.any? { |model, id| there[model] && !there[model].key?(id) }
      return "unknown" if found.any? { |model, _id| there[model].nil? }
      kind = [mail.mailer, mail.action]
      return "fresh" unless [RESET, CONFIRMATION].include?(kind)
      user = there.fetch("User").fetch(found.first.last)
      token = mail.values["args"].find { |one| one.is_a?(String) }
      return "own" if kind == RESET && @own.include?(user["email"].to_s.downcase)
      (kind == RESET ? reset?(user, token) : confirms?(user, token)) ? "fresh" : "expired"
    end

    def reset?(user, token)
      Devise.token_generator.digest(User, :reset_password_token, token) == user["reset_password_token"] &&
        !user["reset_password_sent_at"].nil? &&
        user["reset_password_sent_at"].to_f > Time.now.to_f - User.reset_password_within.to_f
    end

    def confirms?(user, token)
      limit = User.confirm_within
      token == user["confirmation_token"] && (user["confirmed_at"].nil? || !user["unconfirmed_email"].to_s.empty?) &&
        (limit.nil? || user["confirmation_sent_at"].to_f > Time.now.to_f - limit.to_f)
    end

    def add(mail, verdict)
      return if verdict == "own"
      @heard&.call(mail, verdict)
      item = mail.item
      failure = named(item["error_class"], /\A[A-Z][\w:]*\z/)
      group = group_of(mail, failure)
      made = seconds(item["created_at"]) || seconds(item["enqueued_at"]) || Time.now.to_f
      group["count"] += 1
      group[verdict] += 1
      group["oldest"] = [group["oldest"], made].compact.min
      group["newest"] = [group["newest"], made].compact.max
      due = %w[retry scheduled].include?(mail.place) ? seconds(mail.at.to_f) : nil
      group["next_try"] = [group["next_try"], due].compact.min
      failed = last_failure(item)
      return unless failed && (group["last_failed"].nil? || failed > group["last_failed"])
      group["last_failed"] = failed
      group["error_message"] = error_of(item, mail.values)
    end

    # Its own group, or the one of all the rest once there are many.
    def group_of(mail, failure)
      key = [mail.place, mail.mailer, mail.action, failure]
      key = [mail.place, "", "", ""] unless @groups.key?(key) || @groups.length < GROUPS
      place, mailer, method, error = key
      @groups[key] ||= {
        "place" => place, "mailer" => mailer, "method" => method, "error_class" => error, "error_message" => "",
        "count" => 0, "oldest" => nil, "newest" => nil, "next_try" => nil, "last_failed" => nil,
        "fresh" => 0, "expired" => 0, "gone" => 0, "unknown" => 0
      }
    end

    # Without addresses and without what the job was given.
    def told(message, values)
      words = message.dup.force_encoding("UTF-8").scrub("?")[0, 4000]
      texts(values).each { |one| words = words.gsub(one, "[...]") if one.length >= 4 }
      @clean.call(words.gsub(/[^\s<>]+@[^\s<>]+/, "[address]")[0, 500])
    end

    def texts(value)
      case value
      when Hash then value.reject { |key, _| key.start_with?("_aj") }.values.flat_map { |one| texts(one) }
      when Array then value.flat_map { |one| texts(one) }
      when String then [value]
      else []
      end
    end

    def seconds(time)
      return unless time.is_a?(Numeric)
      time = time > 100_000_000_000 ? time / 1000.0 : time.to_f
      time if time.between?(0, LAST)
    end
  end
end
"""
