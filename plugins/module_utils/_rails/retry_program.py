# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ruby program that counts the mails that wait in Sidekiq, retries some of them and follows these to their end."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .jobs import JOBS
from .ruby import ERRORS, filled
from .waiting_program import WAITING

#: How a mail is retried: it gets its turn now instead of in hours, and Sidekiq itself does the rest. Sidekiq's poller
#: takes what is due in the retry set (lib/sidekiq/scheduled.rb, Enq#enqueue_jobs and LUA_ZPOPBYSCORE, alike in 6.4.1,
#: 6.5.12 and 8.1.7), every 5 seconds on the average (average_scheduled_poll_interval). So at each moment the job is in
#: one of Sidekiq's own places. SortedEntry#retry (lib/sidekiq/api.rb) removes the job and then pushes it; killed in
#: between, it loses the mail.
#: - MOVE is one command for Redis, done or not done. A job that Sidekiq has taken meanwhile is no longer in the set, so
#:   it is not added again. It adds before it removes: a Redis without memory refuses the first.
#: - Sidekiq keeps retry_count, so the try counts as one of its 25, and a mail of the dead set that fails goes right
#:   back (lib/sidekiq/job_retry.rb, process_retry).
#: - Mails go one at a time until one was sent, then in batches at the given pace; after some failures in a row none.
#: - Only what failed is retried, and only expired mails are deleted, if asked. No other job is touched, and only
#:   numbers and error texts leave the host.
_PROGRAM = (
    r"""
require "json"
require "sidekiq/api"
"""
    + ERRORS
    + WAITING
    + JOBS
    + r"""
module FediopsRetry
  extend FediopsJobs
  ASKED = JSON.parse("@ASKED@".unpack1("m0"))
  SETS = { "retry" => Sidekiq::RetrySet, "dead" => Sidekiq::DeadSet }
  MOVE = <<~LUA
    if not redis.call("zscore", KEYS[1], ARGV[2]) then
      return 0
    end
    redis.call("zadd", KEYS[2], ARGV[1], ARGV[2])
    if KEYS[1] ~= KEYS[2] then
      redis.call("zrem", KEYS[1], ARGV[2])
    end
    return 1
  LUA
  Mail = Struct.new(:jid, :place, :queue, :kind, :verdict, :refused, :failed, :values, :text)

  class << self
    def run
      @ends = clock + ASKED["seconds"]
      @found = []
      @counts = Hash.new(0)
      @errors = {}
      @in_a_row = 0
      waiting = FediopsWaiting.look([], method(:hear)) { |words| words }
      return { "waiting" => nil } unless waiting
      chosen = @found.select { |mail| chosen?(mail) }.sort_by { |mail| [order(mail), mail.failed] }
      answer = { "waiting" => waiting, "chosen" => chosen.length }
      answer["stopped"] = ASKED["act"] ? act(chosen) : nil
      %w[sent failed passed moving dropped].each { |fate| answer[fate] = @counts[fate] }
      answer["refused"] = @found.count { |mail| left_as_refused?(mail) }
      answer["old"] = @found.count { |mail| left_as_old?(mail) && !left_as_refused?(mail) }
      answer["errors"] = @errors.values.first(20)
      answer
    rescue StandardError, ScriptError => error
      { "failure" => { "stage" => "queue", "chain" => FediopsErrors.chain(error) { |text| plain(text) } } }
    end

    private

    def clock
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def hear(mail, verdict)
      return unless SETS.key?(mail.place) && mail.item["jid"].is_a?(String)
      item = mail.item
      refused = item["error_message"].to_s.scrub("?").match?(Regexp.new(ASKED["refused"], Regexp::IGNORECASE))
      failed = FediopsWaiting.last_failure(item) || 0.0
      kind = [mail.mailer, mail.action]
      @found << Mail.new(item["jid"], mail.place, item["queue"].to_s, kind, verdict, refused, failed, nil, nil)
    end

    def chosen?(mail)
      ASKED["verdicts"].include?(mail.verdict) && !left_as_refused?(mail) && !left_as_old?(mail)
    end

    # Nobody waits for news of last month; the dead set keeps them for six.
    def left_as_old?(mail)
      return false if ASKED["also_refused"] || !ASKED["verdicts"].include?(mail.verdict)
      mail.failed.between?(1, Time.now.to_f - ASKED["old"])
    end

    # A relay has said that this recipient does not exist; asking again and again harms the sender.
    def left_as_refused?(mail)
      mail.refused && ASKED["verdicts"].include?(mail.verdict) && !ASKED["also_refused"]
    end

    def order(mail)
      ASKED["first"].index(mail.kind) || ASKED["first"].length
    end

    # Why it ended before every mail had its turn; nil if each had.
    def act(chosen)
      return "elsewhere" if elsewhere?(chosen)
      chosen, idle = chosen.partition { |mail| taken?(mail.queue) }
      stopped = retry_all(chosen) || (idle.any? ? "idle" : nil)
      drop if ASKED["drop"] && stopped.nil?
      stopped
    rescue StandardError => error
      note(error.class.name.to_s, plain(error.message.to_s))
      "error"
    end

    # An error of Ruby's may quote the job.
    def plain(text)
      FediopsWaiting.error_of({ "error_message" => text }, nil)
    end

    # Whether a Sidekiq on another host would take these mails, which may not have the new settings yet. One that gives
    # no further sign of life is the container that was recreated.
    def elsewhere?(mails)
      before = ASKED["hosts"] ? others(mails) : {}
      return false if before.empty?
      sleep(12)
      others(mails).any? { |process, beat| before[process] != beat }
    end

    def others(mails)
      processes = mails.map(&:queue).uniq.flat_map { |queue| serving(queue) }
      foreign = processes.reject { |one| ASKED["hosts"].include?(one["hostname"]) }
      foreign.map { |one| [one["identity"], one["beat"]] }.to_h
    end

    def retry_all(chosen)
      until chosen.empty?
        return "time" if clock >= @ends
        return "failures" if @in_a_row >= ASKED["failures"]
        sure = @counts["sent"].positive? && @in_a_row.zero?
        batch = chosen.shift(sure ? ASKED["batch"] : 1)
        return "idle" unless batch.all? { |mail| taken?(mail.queue) }
        started = clock
        follow(batch.select { |mail| move(mail) })
        rest(started + batch.length * ASKED["each"]) unless chosen.empty?
      end
      nil
    end

    # Whether a process takes jobs of this queue, and looks after the retry set: one that is to end does neither.
    def taken?(queue)
      serving(queue).any? { |process| !process.stopping? }
    end

    def rest(till)
      pause = [till, @ends].min - clock
      sleep(pause) if pause.positive?
    end

    # Gives a mail its turn now. False if it no longer waits where it was found.
    def move(mail)
      entry = in_set(SETS[mail.place].new, mail.jid)
      return passed unless entry
      mail.text = entry.value
      @counts["moving"] += 1 # until its end is seen, whatever happens here
      return true if due(mail.place, entry.value)
      @counts["moving"] -= 1
      passed
    end

    def passed
      @counts["passed"] += 1
      false
    end

    def due(place, text)
      Sidekiq.redis do |redis|
        # As Sidekiq loads its own script (6.5.12: lib/sidekiq/scheduled.rb); a namespace cannot pass it on.
        real = redis.respond_to?(:redis) ? redis.redis : redis
        redis.evalsha(real.script(:load, MOVE), [place, "retry"], [Time.now.to_f.to_s, text]) == 1
      end
    end

    def follow(batch)
      gone = {}
      until batch.empty?
        batch = batch.reject { |mail| ended?(mail, gone) }
        break if batch.empty? || clock >= @ends
        sleep(1)
      end
    end

    # gone has the mails that were nowhere in Redis, with the signs of life from a second later. Once each process has
    # given another sign, a second look tells whether the mail only was with one of them.
    def ended?(mail, gone)
      if gone.key?(mail.jid)
        gone[mail.jid] = beats if gone[mail.jid].empty?
        # A process that has ended gives no sign any more: what it had is in a queue again, or its fate is unknown.
        lost = (gone[mail.jid].keys - beats.keys).any?
        return false unless lost || seen_without?(gone[mail.jid])
        again = true
      end
      return false if clock >= @ends || due_still?(mail)
      case look(mail.jid, mail.queue)["state"]
      when "retry", "dead" then failed(mail)
      when "gone"
        return lost || sent if again
        gone[mail.jid] = {}
        false
      else gone.delete(mail.jid) && false
      end
    end

    # Whether the poller has not taken it yet.
    def due_still?(mail)
      Sidekiq.redis { |redis| redis.zscore("retry", mail.text) }
    end

    def sent
      @counts["moving"] -= 1
      @in_a_row = 0
      @counts["sent"] += 1
    end

    def failed(mail)
      @counts["moving"] -= 1
      @in_a_row += 1
      @counts["failed"] += 1
      entry = SETS.values.map { |set| in_set(set.new, mail.jid) }.compact.first
      values = entry && entry.item["args"].first["arguments"].last
      note(entry.item["error_class"].to_s[0, 100], FediopsWaiting.error_of(entry.item, values)) if entry
      true
    end

    def note(kind, message)
      @errors[kind] ||= { "class" => kind, "message" => message, "count" => 0 }
      @errors[kind]["count"] += 1
    end

    # Deletes the expired mails that are still where they were found.
    def drop
      wanted = @found.select { |mail| mail.verdict == "expired" && !ASKED["verdicts"].include?("expired") }
      jids = wanted.map { |mail| [mail.jid, true] }.to_h
      SETS.each_value do |set|
        set.new.scan("*ActionMailer*", 1000) do |entry|
          next unless jids[entry.item["jid"]]
          gone = entry.delete
          @counts["dropped"] += 1 if gone && gone != 0
        end
      end
    end

    def ours?(item, jid)
      item["jid"] == jid
    end
  end

  STDOUT.write("\n#{ASKED['mark']}#{JSON.generate(run, ascii_only: true)}\n")
  STDOUT.flush
  exit!(0)
end
"""
)


def program(asked: t.Mapping[str, t.Any]) -> bytes:
    """The whole program for C(rails runner -).

    :param asked: mark (begins the answer's line), and what C(_waiting.retry.asked) makes.
    """
    return filled(_PROGRAM, asked)
