# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ruby program that puts one mail into the queue, follows it in Redis, and removes it if it did not get through.

Written for Ruby 2.7 to 4.0, Rails 6.1 to 8.1 and Sidekiq 6.4 to 8.1; run with Ruby 3.1 and 3.3 and Rails 6.1 with
Sidekiq 6.4, 7.2 with 7.3 and 8.1, 8.0.4.1 with 8.0.9, and 8.1.3 with 8.1.6 (docs/lab.md says which of these with real
parts). It uses the application's own connection to Redis, so address, password, namespace and sentinels are the
instance's and are never shown.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .accounts import ACCOUNTS
from .jobs import JOBS
from .ruby import ERRORS, filled

#: The plain mail: a job can only name a class and a method that the running Sidekiq knows, and no mailer of Mastodon
#: accepts plain text. C(ActionMailer::Base.mail) does not exist from Rails 8.1.1 on (rails/rails#56449); C(class_eval)
#: exists in all versions, and evaluates a constant of ours with one Base64 literal.
_PROGRAM = (
    r"""
require "json"
require "sidekiq/api"
"""
    + ERRORS
    + ACCOUNTS
    + JOBS
    + r"""
module FediopsQueue
  extend FediopsJobs
  ASKED = JSON.parse("@ASKED@".unpack1("m0"))
  TEMPORARY = /\A\W*(?:could not get 3xx \()?4\d\d[ :-]/

  class << self
    def put(send)
      jobs = []
      watch = ActiveSupport::Notifications.subscribe("enqueue.active_job") { |*event| jobs << event.last[:job] }
      send["way"] == "reset" ? FediopsAccounts.find(send["to"]).send_reset_password_instructions : plain(send["mail"])
      job = jobs.reverse.find { |one| one.class.name.to_s.start_with?("ActionMailer::") && one.provider_job_id }
      job && { "job_id" => job.job_id, "jid" => job.provider_job_id.to_s, "queue" => job.queue_name }
    ensure
      ActiveSupport::Notifications.unsubscribe(watch)
    end

    def plain(mail)
      literal = [JSON.generate(mail, ascii_only: true)].pack("m0")
      text = %{new.mail(::JSON.parse("#{literal}".unpack1("m0"), symbolize_names: true))}
      ActionMailer::MailDeliveryJob.new("ActionMailer::Base", "class_eval", "deliver", args: [text]).enqueue
    end

    # The hosts whose processes take jobs from a queue.
    def hosts(queue)
      serving(queue).map { |process| process["hostname"].to_s[0, 100] }.uniq.first(50)
    end

    # A reset that the web service put into the queue where its log does not tell which job that is.
    def requested(look_for)
      user = FediopsAccounts.find(look_for["account"])
      sent = user.persisted? && user.reset_password_sent_at
      return { "requested" => false } unless sent && sent.to_f >= look_for["since"] - 1
      # Rails names the queue itself: Mastodon 3.5 has its mails in another one than later releases (mastodon#20274).
      queue = ActionMailer::MailDeliveryJob.new("UserMailer").queue_name
      { "requested" => true, "mark" => user.to_global_id.to_s, "queue" => queue }
    end

    def follow(mark, queue, seconds)
      start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      since = nil
      loop do
        place = look(mark, queue)
        since = place["state"] == "gone" ? signs(since) : nil
        if since && seen_without?(since)
          place = look(mark, queue)
          place["state"] = "done" if place["state"] == "gone"
        end
        waited = Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
        final = %w[done dead].include?(place["state"])
        final ||= place["state"] == "retry" && place["error_message"].to_s !~ TEMPORARY
        final ||= place["state"] == "queued" && waited >= 15 && quiet?(queue)
        return place.merge("waited" => waited) if final || waited >= seconds
        sleep(0.5)
      end
    end

    # By Active Job's id; or a reset for that account which is no older than the request. Sidekiq 8 counts milliseconds.
    def ours?(item, mark)
      told = Array(item["args"]).first
      return false unless told.is_a?(Hash)
      return told["job_id"] == mark unless mark.start_with?("gid:")
      created = item["created_at"].to_f
      created /= 1000 if created > 1e11
      words = ["reset_password_instructions", %("#{mark}")]
      created >= ASKED["look_for"]["since"] - 1 && words.all? { |word| told["arguments"].to_s.include?(word) }
    end

    # What did not get through is not to be sent later, nor to knock at another relay for weeks.
    def remove(mark, queue)
      failed = [Sidekiq::RetrySet, Sidekiq::DeadSet].map { |set| in_set(set.new, mark) }
      [in_queue(mark, queue), *failed].count { |entry| entry.respond_to?(:delete) && entry.delete }
    end

    def run
      answer = {}
      job = ASKED["job"]
      if ASKED["send"]
        @put = job = put(ASKED["send"])
        return { "refused" => true } unless job
        answer.update(job)
        answer["served"] = served
        unserved = answer["served"].any? && !answer["served"].include?(job["queue"])
        return answer.merge("unserved" => true, "removed" => remove(job["job_id"], job["queue"])) if unserved
      end
      mark = job && job["job_id"]
      if ASKED["look_for"]
        answer.update(requested(ASKED["look_for"]))
        mark = answer.delete("mark")
      end
      return answer unless mark
      queue = (job || answer)["queue"]
      answer["place"] = follow(mark, queue, ASKED["follow"]) if ASKED["follow"]
      ended = answer["place"] && answer["place"]["state"] == "done"
      answer["removed"] = remove(mark, queue) if ASKED["remove"] && !ended
      answer["processes"] = hosts(queue)
      answer["quiet"] = quiet?(queue)
      answer
    rescue StandardError, ScriptError => error
      chain = FediopsErrors.chain(error) { |text| text.scrub("?")[0, 2000] }
      { "failure" => { "stage" => "queue", "chain" => chain }, "put" => @put ? true : false }
    end
  end

  STDOUT.write("\n#{ASKED['mark']}#{JSON.generate(run, ascii_only: true)}\n")
  STDOUT.flush
  exit!(0)
end
"""
)

_LOOK = (
    r"""
require "json"
"""
    + ACCOUNTS
    + r"""
asked = JSON.parse("@ASKED@".unpack1("m0"))
STDOUT.write("\n#{asked['mark']}#{JSON.generate(FediopsAccounts.look(asked['account']), ascii_only: true)}\n")
STDOUT.flush
exit!(0)
"""
)


def program(asked: t.Mapping[str, t.Any]) -> bytes:
    """The whole program for C(rails runner -).

    :param asked: mark (begins the answer's line); the others are optional:
        send ({way: reset, to} or {way: plain, mail: {to, subject, body, message_id, content_type}});
        job ({job_id, queue} of a job that is already in the queue);
        look_for ({account, since: seconds since the epoch}: a reset whose job is unknown);
        follow (seconds), remove (true removes what has not got through by then).
    """
    return filled(_PROGRAM, asked)


def account_program(mark: str, account: str) -> bytes:
    """The program that only checks one address; see accounts.py."""
    return filled(_LOOK, {"mark": mark, "account": account})
