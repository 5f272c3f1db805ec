# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ruby that retries waiting mails, against a stand-in for Redis and Sidekiq whose clock is the program's own."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._rails.retry_program import program
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.shape import retry_answer
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.waiting_program import WAITING
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.retry import Wish, asked

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby")

#: Redis in a hash, and a Sidekiq that polls, works and beats whenever the program sleeps.
STUB = r"""
require "json"
$LOADED_FEATURES << "sidekiq/api.rb"
GIVEN = JSON.parse("@GIVEN@".unpack1("m0"))
BEGAN = Time.now.to_f
module World
  JOBS = GIVEN["jobs"].to_h { |job| [job["jid"], job] }
  SETS = Hash.new { |all, name| all[name] = {} }
  MOVED = []
  LOOKS = Hash.new(0)
  TURN = GIVEN["turn"] ? { "till" => GIVEN["turn"] } : {}
  class << self
    attr_accessor :time

    def item(job, more = {})
      args = [{ "arguments" => ["UserMailer", job["method"], "deliver_now", { "args" => ["a-secret-token"] }] }]
      failed = BEGAN - 100_000 + job["at"]
      error = { "error_class" => "Net::SMTPFatalError", "error_message" => job["error"], "failed_at" => failed }
      { "class" => "Wrapper", "wrapped" => "ActionMailer::MailDeliveryJob", "jid" => job["jid"],
        "queue" => "mailers", "args" => args, **error, **more }
    end

    def tick(seconds)
      self.time += seconds
      TURN.clear if TURN["till"] && TURN["till"] <= time
      due = SETS["retry"].select { |_text, score| score <= Time.now.to_f }.keys
      due.each do |text|
        job = JOBS[JSON.parse(text)["jid"]]
        next if job["fate"] == "stuck"
        SETS["retry"].delete(text)
        again = { "retried_at" => Time.now.to_f, "error_message" => "535 no for a-secret-token of a@b.example" }
        SETS["retry"][JSON.generate(item(job, again))] = Time.now.to_f + 90_000 if job["fate"] == "failed"
        SETS["dead"][JSON.generate(item(job, again))] = Time.now.to_f if job["fate"] == "dead"
      end
    end
  end
  self.time = 0
  JOBS.each_value { |job| SETS[job["place"]][JSON.generate(item(job))] = job["score"] = Time.now.to_f + 80_000 }
  SETS["retry"].delete(JSON.generate(item(JOBS[GIVEN["taken"]]))) if GIVEN["taken"]
  GIVEN["others"].each { |set, texts| texts.each { |text| SETS[set][text] = Time.now.to_f + 70_000 } }
end
def World.sleep(seconds)
  tick(seconds)
end
module Kernel
  def sleep(seconds)
    World.sleep(seconds)
  end
end
module Process
  def self.clock_gettime(_which)
    World.time
  end
end
module Sidekiq
  Entry = Struct.new(:name, :score, :value) do
    def item
      JSON.parse(value)
    end

    def delete
      World::SETS[name].delete(value)
    end
  end
  Set = Struct.new(:name) do
    def fetch(score, jid)
      raise IOError, "no Redis" if GIVEN["broken"]
      found = World::SETS[name].select { |_text, at| at == score }
      found.map { |text, at| Entry.new(name, at, text) }.select { |entry| entry.item["jid"] == jid }
    end

    def scan(match, _count = 100)
      World::LOOKS["sets"] += 1
      match = "*#{match}*" unless match.include?("*")
      World::SETS[name].to_a.each { |text, score| yield Entry.new(name, score, text) if File.fnmatch(match, text) }
    end
  end
  RetrySet = Class.new(Set) { def initialize; super("retry"); end }
  DeadSet = Class.new(Set) { def initialize; super("dead"); end }
  WorkSet = Class.new(Array)
  class Beat < Hash
    def stopping?
      GIVEN["quiet"]
    end
  end
  class ProcessSet
    def initialize(clean)
      raise "it cleans up" if clean
    end

    def to_a
      World::LOOKS["processes"] += 1
      return [] if GIVEN["down"]
      name = GIVEN["restart"] && World.time >= GIVEN["restart"] ? "two" : "one"
      beat = GIVEN["gone"] ? 0 : World.time.to_i / 10
      [Beat.new.merge!("identity" => name, "hostname" => "web2", "beat" => beat, "queues" => ["mailers"])]
    end
  end
  class Redis
    def script(_load, _text)
      "sha"
    end

    # What the script does, in one go.
    def evalsha(_sha, keys, argv)
      return 0 unless World::SETS[keys[0]].key?(argv[1])
      World::SETS[keys[0]].delete(argv[1])
      World::SETS[keys[1]][argv[1]] = argv[0].to_f
      World::MOVED << [JSON.parse(argv[1])["jid"], World.time]
      1
    end

    def set(_key, _value, nx:, ex:)
      return nil unless nx && World::TURN.empty?
      World::TURN["till"] = World.time + ex
      "OK"
    end

    def expire(_key, seconds)
      raise "the turn was lost" if World::TURN.empty?
      World::TURN["till"] = World.time + seconds
    end

    def del(_key)
      raise IOError, "no Redis" if GIVEN["broken"]
      World::TURN.clear
    end

    def zscore(key, text)
      World::SETS[key][text]
    end

    def lrange(*)
      []
    end
  end
  def self.redis
    yield Redis.new
  end

  def self.load_json(text)
    JSON.parse(text)
  end
end
"""
#: In place of the search, which has a test of its own: tells the jobs with the verdicts that they are given.
SEARCH = r"""
module FediopsWaiting
  Held = Struct.new(:place, :at, :item, :mailer, :action, :values)
  class << self
    def look(_own, heard)
      World::JOBS.each_value do |job|
        mail = Held.new(job["place"], job["score"], World.item(job), "UserMailer", job["method"], nil)
        heard.call(mail, job["verdict"])
      end
      { "groups" => [], "complete" => true, "error" => nil, "now" => 0.0, "started" => nil }
    end

    def error_of(item, values)
      given = values ? values["args"] : []
      given.reduce(item["error_message"].gsub(/\S+@\S+/, "[address]")) { |text, one| text.gsub(one, "[...]") }
    end

    def last_failure(item)
      item["retried_at"] || item["failed_at"]
    end
  end
end
"""
TOLD = r"""
at_exit { nil }
module FediopsRetry
  def self.exit!(_status)
    told = { "sets" => World::SETS, "moved" => World::MOVED, "time" => World.time }
    puts JSON.generate(told.merge("looks" => World::LOOKS, "turn" => World::TURN))
  end
end
"""


def job(jid: str, fate: str = "sent", place: str = "retry", verdict: str = "fresh", **more: t.Any) -> dict[str, t.Any]:
    return {
        "jid": jid,
        "fate": fate,
        "place": place,
        "verdict": verdict,
        "method": "welcome",
        "error": "535 5.7.8 no",
        "at": 100.0,
        **more,
    }


def ran(*jobs: dict[str, t.Any], wish: Wish | None = None, **given: t.Any) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """The program's answer, and the stand-in's state afterwards."""
    world = json.dumps({"jobs": jobs, "others": {}, **given})
    more = {"mark": "mark:", "hosts": given.get("hosts")}
    text = program({**asked(wish or Wish("fresh", rate=60)), **more}).decode("utf-8")
    assert WAITING in text
    text = text.replace(WAITING, SEARCH + TOLD)
    stub = STUB.replace("@GIVEN@", base64.b64encode(world.encode()).decode())
    done = subprocess.run(
        ["ruby", "-W0", "-"], input=stub + text, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    answer = json.loads(lines[0][len("mark:") :])
    retry_answer(answer)
    return answer, json.loads(lines[1])


def moved(world: dict[str, t.Any]) -> list[str]:
    return [jid for jid, _time in world["moved"]]


def test_what_makes_sense_is_sent() -> None:
    answer, world = ran(job("a"), job("b", place="dead"), job("c", verdict="expired"), job("d", verdict="unknown"))
    assert (answer["chosen"], answer["sent"], answer["stopped"]) == (2, 2, None)
    assert sorted(moved(world)) == ["a", "b"]
    assert [json.loads(text)["jid"] for text in world["sets"]["retry"]] == ["c", "d"]
    assert not world["sets"]["dead"]


def test_all_sends_expired_ones_too_but_none_whose_record_is_gone() -> None:
    jobs = (job("a"), job("c", verdict="expired"), job("d", verdict="unknown"), job("e", verdict="gone"))
    answer, world = ran(*jobs, wish=Wish("all", rate=60))
    assert answer["sent"] == 3
    assert sorted(moved(world)) == ["a", "c", "d"]


def test_nothing_is_moved_in_a_dry_run() -> None:
    answer, world = ran(job("a"), wish=Wish("fresh", act=False, drop_expired=True))
    assert (answer["chosen"], answer["sent"], moved(world)) == (1, 0, [])


def test_jobs_of_other_kinds_and_mails_that_are_left_stay_as_they_are() -> None:
    others = {"retry": ['{"class":"PushWorker","jid":"x"}'], "dead": ['{"class":"FeedWorker","jid":"y"}']}
    _answer, world = ran(job("a"), job("c", verdict="expired"), others=others)
    assert '{"class":"PushWorker","jid":"x"}' in world["sets"]["retry"]
    assert '{"class":"FeedWorker","jid":"y"}' in world["sets"]["dead"]
    assert len(world["sets"]["retry"]) == 2


def test_those_who_wait_for_a_link_come_first_then_the_longest_untried() -> None:
    jobs = (
        job("late", at=300.0),
        job("early", at=200.0),
        job("confirmation", method="confirmation_instructions"),
        job("reset", method="reset_password_instructions"),
    )
    _answer, world = ran(*jobs)
    assert moved(world) == ["reset", "confirmation", "early", "late"]


def test_the_first_goes_alone_and_the_rest_at_the_rate() -> None:
    answer, world = ran(*(job(f"j{number:02}") for number in range(50)), wish=Wish("fresh", rate=30))
    assert answer["sent"] == 50
    times = [time for _jid, time in world["moved"]]
    assert len({times[0], times[1]}) == 2
    assert times.count(times[1]) == 10
    assert times[-1] - times[0] >= (50 - 10 - 1) * 2


def test_what_it_asks_of_redis_does_not_grow_with_every_mail() -> None:
    # A search of a set that has 100,000 jobs takes a second.
    jobs = (job(f"j{number:03}", "failed" if number % 7 == 3 else "sent") for number in range(200))
    answer, world = ran(*jobs, wish=Wish("fresh", rate=600, seconds=3600))
    assert (answer["sent"], answer["failed"]) == (171, 29)
    batches = len({time for _jid, time in world["moved"]})
    assert batches < 60
    assert world["looks"]["sets"] == 2 * batches
    assert world["looks"]["processes"] < 30 * batches


@pytest.mark.parametrize("fate", ["failed", "dead"])
def test_failures_in_a_row_end_it_one_mail_at_a_time(fate: str) -> None:
    answer, world = ran(*(job(f"j{number}", fate) for number in range(9)))
    assert (answer["failed"], answer["sent"], answer["stopped"], len(moved(world))) == (3, 0, "failures", 3)
    assert answer["errors"] == [
        {"class": "Net::SMTPFatalError", "message": "535 no for [...] of [address]", "count": 3}
    ]
    assert len(world["sets"]["retry"]) + len(world["sets"]["dead"]) == 9


def test_a_failure_among_others_ends_nothing() -> None:
    answer, _world = ran(job("a"), job("b", "failed"), job("c"), job("d", "failed"), job("e"))
    assert (answer["sent"], answer["failed"], answer["stopped"]) == (3, 2, None)


def test_an_unknown_recipient_is_not_tried_again() -> None:
    bad = job("bad", error="550 5.1.1 <a@b.example>: Recipient address rejected")
    answer, world = ran(bad, job("a"))
    assert (answer["chosen"], answer["refused"], moved(world)) == (1, 1, ["a"])
    answer, world = ran(bad, job("a"), wish=Wish("all", rate=60))
    assert (answer["chosen"], answer["refused"], len(moved(world))) == (2, 0, 2)


@pytest.mark.parametrize("state", ["down", "quiet"])
def test_without_a_sidekiq_that_takes_jobs_nothing_is_moved(state: str) -> None:
    answer, world = ran(job("a"), **{state: True})
    assert (answer["stopped"], moved(world)) == ("idle", [])


def test_one_that_sidekiq_has_taken_meanwhile_is_left_to_it() -> None:
    answer, world = ran(job("a"), job("b"), taken="a")
    assert (answer["passed"], answer["sent"], moved(world)) == (1, 1, ["b"])


def test_one_that_stays_in_the_retry_set_is_still_on_its_way_when_the_time_is_up() -> None:
    answer, world = ran(job("a", "stuck"), job("b"), wish=Wish("fresh", rate=60, seconds=30))
    assert (answer["moving"], answer["sent"], answer["stopped"], moved(world)) == (1, 0, "time", ["a"])


def test_expired_mails_are_deleted_if_asked_and_nothing_else_is() -> None:
    jobs = (
        job("a", verdict="expired"),
        job("b", verdict="gone"),
        job("c", "failed"),
        job("d", "dead", verdict="unknown"),
    )
    answer, world = ran(*jobs, job("x", verdict="expired", place="dead"), wish=Wish("fresh", drop_expired=True))
    assert answer["dropped"] == 2
    left = {json.loads(text)["jid"] for one in world["sets"].values() for text in one}
    assert left == {"b", "c", "d"}
    answer, _world = ran(*jobs)
    assert answer["dropped"] == 0


def test_nothing_is_deleted_when_mail_does_not_work() -> None:
    jobs = (*(job(f"j{number}", "failed") for number in range(4)), job("x", verdict="expired"))
    answer, _world = ran(*jobs, wish=Wish("fresh", drop_expired=True))
    assert (answer["stopped"], answer["dropped"]) == ("failures", 0)


def test_an_error_midway_keeps_the_numbers() -> None:
    answer, _world = ran(job("a"), broken=True)
    assert (answer["stopped"], answer["errors"][0]["class"], answer["chosen"]) == ("error", "IOError", 1)


def test_nothing_that_a_person_may_not_read_leaves_the_host() -> None:
    answer, _world = ran(job("a", "failed"), job("b"))
    assert not re.search(r"secret-token|@b\.example|\bj\d|jid", json.dumps(answer))


def test_in_a_rollout_nothing_goes_through_a_sidekiq_of_another_host() -> None:
    answer, world = ran(job("a"), hosts=["web1"])
    assert (answer["stopped"], answer["chosen"], moved(world)) == ("elsewhere", 1, [])
    assert ran(job("a"), hosts=["web2"])[0]["sent"] == 1
    # a process that gives no further sign is the container that was recreated
    assert ran(job("a"), hosts=["web1"], gone=True)[0]["stopped"] != "elsewhere"


def test_a_sidekiq_that_is_restarted_meanwhile_does_not_hold_up_the_rest() -> None:
    answer, world = ran(
        *(job(f"j{number}") for number in range(4)), restart=3, wish=Wish("fresh", rate=60, seconds=600)
    )
    assert answer["stopped"] is None and answer["sent"] + answer["moving"] == 4 and answer["sent"] >= 3
    assert len(moved(world)) == 4 and world["time"] < 300


def test_of_hosts_that_share_a_redis_one_has_its_turn_after_the_other() -> None:
    answer, world = ran(job("a"), turn=45)
    assert (answer["sent"], world["turn"]) == (1, {})
    assert world["moved"][0][1] >= 45
    # one that is killed is forgotten; one that goes on keeps its turn, however slow it is
    assert ran(job("a"), job("b"), job("c"), wish=Wish("fresh", rate=1))[0]["sent"] == 3
    answer, world = ran(job("a"), turn=90, wish=Wish("fresh", rate=60, seconds=60))
    assert (answer["stopped"], answer["chosen"], moved(world)) == ("time", 1, [])
    assert world["turn"] == {"till": 90}


def test_a_dry_run_waits_for_nobody() -> None:
    answer, world = ran(job("a"), turn=90, wish=Wish("fresh", act=False))
    assert (answer["chosen"], world["time"], world["turn"]) == (1, 0, {"till": 90})


def test_mails_that_failed_long_ago_are_left() -> None:
    answer, world = ran(job("a"), job("b", at=-3_000_000.0))
    assert (answer["chosen"], answer["sent"], answer["old"], moved(world)) == (1, 1, 1, ["a"])
    assert ran(job("b", at=-3_000_000.0), wish=Wish("all", rate=60))[0]["sent"] == 1
