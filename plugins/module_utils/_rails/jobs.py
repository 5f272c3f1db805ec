# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Common to the Ruby programs that follow jobs of Sidekiq: where a job is now, and which processes take it."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

#: Part of the programs that run in Rails, after C(sidekiq/api). A module that extends it says with C(ours?(item, mark))
#: which job a mark means; every job with the mark somewhere in its text is shown to it.
#: A running job appears in Redis only with the process's next heartbeat, every ten seconds (sidekiq:
#: lib/sidekiq/launcher.rb). So a job is done when every listed process has sent a heartbeat after the job left its
#: queue, and the job is nowhere in Redis. If a process ends meanwhile, the fate of the job that it had is unknown.
JOBS = r"""
module FediopsJobs
  def listed
    Sidekiq::ProcessSet.new(false).to_a
  end

  # The processes that live: their last sign of life is about as new as the others', whatever the clock here says.
  # One that was killed stays listed for a minute.
  def alive
    newest = listed.map { |process| process["beat"].to_f }.max
    listed.select { |process| process["beat"].to_f > newest - 15 }
  end

  def beats
    listed.map { |process| [process["identity"], process["beat"]] }.to_h
  end

  def served
    alive.flat_map { |process| Array(process["queues"]) }.uniq
  end

  def serving(queue)
    alive.select { |process| Array(process["queues"]).include?(queue) }
  end

  # Whether every process that takes jobs from a queue was told to take no more.
  def quiet?(queue)
    processes = serving(queue)
    processes.any? && processes.all?(&:stopping?)
  end

  def look(mark, queue)
    return { "state" => "queued" } if in_queue(mark, queue)
    return { "state" => "busy" } if busy?(mark)
    last(mark)
  end

  # The retry set last: a job that has failed is there before its process gives another sign of life.
  def last(mark)
    { "retry" => Sidekiq::RetrySet, "dead" => Sidekiq::DeadSet }.each do |state, set|
      entry = in_set(set.new, mark)
      next unless entry
      item = entry.item
      return {
        "state" => state, "attempts" => item["retry_count"].to_i + 1, "error_class" => item["error_class"].to_s,
        "error_message" => item["error_message"].to_s.scrub("?")[0, 2000]
      }
    end
    { "state" => "gone" }
  end

  def in_set(set, mark)
    set.scan(mark, 1000) { |entry| return entry if ours?(entry.item, mark) }
    nil
  end

  # The newest come first. What is beyond so many is taken for waiting.
  def in_queue(mark, queue)
    ended = each_queued(queue) do |entry|
      return Sidekiq::JobRecord.new(entry, queue) if entry.include?(mark) && ours?(Sidekiq.load_json(entry), mark)
    end
    ended ? nil : :unseen
  end

  # Whether the queue was read to its end.
  def each_queued(queue, &block)
    (0...100_000).step(1000) do |start|
      entries = Sidekiq.redis { |redis| redis.lrange("queue:#{queue}", start, start + 999) }
      entries.each(&block)
      return true if entries.length < 1000
    end
    false
  end

  def busy?(mark)
    works.any? { |item| ours?(item, mark) }
  end

  # The jobs that processes have told that they work on.
  def works
    work_set.new.map do |_process, _thread, work|
      payload = work.respond_to?(:payload) ? work.payload : work["payload"]
      payload.is_a?(String) ? Sidekiq.load_json(payload) : payload
    end
  end

  def work_set
    defined?(Sidekiq::WorkSet) ? Sidekiq::WorkSet : Sidekiq::Workers
  end

  # The signs of life from when the job was first gone. A process writes what it works on shortly before the sign.
  def signs(since)
    return since if since && since.any?
    sleep(1)
    beats
  end

  def seen_without?(since, now = beats)
    since.any? && since.all? { |process, beat| now[process] && now[process] != beat }
  end
end
"""
