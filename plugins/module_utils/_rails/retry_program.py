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
#: - The sets may be large. A mail is found again by its score, which needs no search. Only what became of mails that
#:   are in no queue and with no process is searched for, once for all that are at that point.
#: - Mails go one at a time until one was sent, then in batches at the given pace; after some failures in a row none.
#: - Hosts may share a Redis, and the pace is for all of them together: a key in Redis says whose turn it is. Whoever is
#:   killed loses it soon. Two at a time would be too fast, and nothing worse.
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
  TURN = "fediops:retry"
  FORGOTTEN = 30
  Mail = Struct.new(:jid, :place, :at, :queue, :kind, :verdict, :refused, :failed, :text)

  class << self
    def run
      @ends = clock + ASKED["seconds"]
      @found = []
      @counts = Hash.new(0)
      @errors = {}
      @in_a_row = 0
      mine = ASKED["act"] && turn?
      waiting = FediopsWaiting.look([], method(:hear)) { |words| words }
      return { "waiting" => nil } unless waiting
      chosen = @found.select { |mail| chosen?(mail) }.sort_by { |mail| [order(mail), mail.failed] }
      answer = { "waiting" => waiting, "chosen" => chosen.length }
      answer["stopped"] = ASKED["act"] ? (mine ? act(chosen) : "time") : nil
      %w[sent failed passed moving dropped].each { |fate| answer[fate] = @counts[fate] }
      answer["refused"] = @found.count { |mail| left_as_refused?(mail) }
      answer["old"] = @found.count { |mail| left_as_old?(mail) && !left_as_refused?(mail) }
      answer["errors"] = @errors.values.first(20)
      answer
    rescue StandardError, ScriptError => error
      { "failure" => { "stage" => "queue", "chain" => FediopsErrors.chain(error) { |text| plain(text) } } }
    ensure
      end_turn if mine
    end

    private

    def clock
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # Waits until no other retry has this Redis.
    def turn?
      until Sidekiq.redis { |redis| redis.set(TURN, "1", nx: true, ex: FORGOTTEN) }
        return false if clock >= @ends
        sleep(1)
      end
      true
    end

    # The numbers are told in any case.
    def end_turn
      Sidekiq.redis { |redis| redis.del(TURN) }
    rescue StandardError
      nil
    end

    def pause(seconds)
      till = clock + seconds
      while clock < till
        sleep([till - clock, 5].min)
        Sidekiq.redis { |redis| redis.expire(TURN, FORGOTTEN) }
      end
    end

    def hear(mail, verdict)
      return unless SETS.key?(mail.place) && mail.item["jid"].is_a?(String)
      item = mail.item
      refused = item["error_message"].to_s.scrub("?").match?(Regexp.new(ASKED["refused"], Regexp::IGNORECASE))
      failed = FediopsWaiting.last_failure(item) || 0.0
      kind = [mail.mailer, mail.action]
      @found << Mail.new(item["jid"], mail.place, mail.at, item["queue"].to_s, kind, verdict, refused, failed)
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
      served = taken(chosen)
      chosen, idle = chosen.partition { |mail| served.include?(mail.queue) }
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
      pause(12)
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
        return "idle" unless taken(batch).length == batch.map(&:queue).uniq.length
        started = clock
        follow(batch.select { |mail| move(mail) })
        rest(started + batch.length * ASKED["each"]) unless chosen.empty?
      end
      nil
    end

    # Those of their queues from which a process takes jobs. It looks after the retry set, too; one that is to end does
    # neither.
    def taken(mails)
      mails.map(&:queue).uniq.select { |queue| serving(queue).any? { |process| !process.stopping? } }
    end

    def rest(till)
      pause([till, @ends].min - clock)
    end

    # Gives a mail its turn now. False if it no longer waits where it was found.
    def move(mail)
      entry = SETS[mail.place].new.fetch(mail.at, mail.jid).first
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
        batch -= ended(batch, gone)
        break if batch.empty? || clock >= @ends
        pause(1)
      end
    end

    # Those whose end was seen. gone has the mails that were in no queue and with no process, with the signs of life
    # from a second later. Once each process has given another sign, such a mail is in a set again, or it was sent.
    def ended(batch, gone)
      now = beats # before the look at what they work on
      away = batch.reject { |mail| due_still?(mail) }
      seen = away.any? ? seen(away) : {}
      away.each { |mail| gone.delete(mail.jid) if seen[mail.jid] }
      ripe = away.reject { |mail| seen[mail.jid] || !ripe?(mail.jid, gone, now) }
      return [] if ripe.empty? || clock >= @ends
      kept = kept(ripe)
      # A process that has ended gives no sign any more: what it had is in a queue again, or its fate is unknown.
      ripe.each { |mail| kept[mail.jid] ? failed(kept[mail.jid]) : lost?(gone[mail.jid], now) || sent }
    end

    def ripe?(jid, gone, now)
      return !(gone[jid] = {}) unless gone.key?(jid)
      gone[jid] = now if gone[jid].empty?
      lost?(gone[jid], now) || seen_without?(gone[jid], now)
    end

    def lost?(since, now)
      (since.keys - now.keys).any?
    end

    # Of these mails, those in a queue or with a process. What a queue does not tell is taken for being there.
    def seen(mails)
      found = works.map { |item| [item["jid"], true] }.to_h
      mails.group_by(&:queue).each do |queue, ours|
        jids = ours.map(&:jid)
        ended = each_queued(queue) do |text|
          found[Sidekiq.load_json(text)["jid"]] = true if jids.any? { |jid| text.include?(jid) }
        end
        jids.each { |jid| found[jid] = true } unless ended
      end
      found
    end

    # Of these mails, those that failed and that Sidekiq keeps, each with its entry.
    def kept(mails)
      wanted = mails.map { |mail| [mail.jid, true] }.to_h
      match = mails.length == 1 ? mails.first.jid : "*ActionMailer*"
      SETS.each_value.with_object({}) do |set, found|
        set.new.scan(match, 1000) { |entry| found[entry.item["jid"]] = entry if wanted[entry.item["jid"]] }
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

    def failed(entry)
      @counts["moving"] -= 1
      @in_a_row += 1
      @counts["failed"] += 1
      values = entry.item["args"].first["arguments"].last
      note(entry.item["error_class"].to_s[0, 100], FediopsWaiting.error_of(entry.item, values))
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
