# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ruby that counts waiting mails, run against a small stand-in for Sidekiq, Devise and Active Record."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._rails.waiting_program import WAITING

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby")

NOW = time.time()
STUB = r"""
require "json"
$LOADED_FEATURES << "sidekiq/api.rb"
GIVEN = JSON.parse($stdin.read)
class String
  def safe_constantize
    Object.const_get(self)
  rescue NameError
    nil
  end
end
module Sidekiq
  Entry = Struct.new(:score, :item)
  class Set
    def scan(match, _count)
      raise GIVEN["raise"] if GIVEN["raise"]
      sleep 60 if GIVEN["hang"] == self.class::NAME
      GIVEN.fetch(self.class::NAME, []).each do |score, item|
        yield Entry.new(score, item) if File.fnmatch(match, JSON.generate(item))
      end
    end
  end
  { RetrySet: "retry", DeadSet: "dead", ScheduledSet: "schedule" }.each do |name, key|
    const_set(name, Class.new(Set) { const_set(:NAME, key) })
  end
  class ProcessSet
    include Enumerable
    def initialize(clean)
      raise "it cleans up" if clean
    end

    def each(&block)
      GIVEN.fetch("started", []).map { |at| { "started_at" => at } }.each(&block)
    end
  end
  Redis = Struct.new(:lists) do
    def lrange(key, first, last)
      lists.fetch(key, []).map { |one| JSON.generate(one) }[first..last] || []
    end
  end
  def self.redis
    yield Redis.new(GIVEN.fetch("lists", {}))
  end
end
module ActionMailer
  class Base
    def self.deliver_later_queue_name
      "mailers"
    end
  end
end
module ActiveRecord
  class Base; end
end
class User < ActiveRecord::Base
  Rows = Struct.new(:rows) do
    def pluck(*names)
      rows.map { |row| row.values_at(*names) }
    end
  end
  class << self
    def unscoped
      self
    end

    def where(id:)
      Rows.new(GIVEN.fetch("users", []).select { |row| id.include?(row["id"].to_s) })
    end

    def reset_password_within
      21_600
    end

    def confirm_within
      172_800
    end
  end
end
module Devise
  def self.token_generator
    self
  end

  def self.digest(_model, _column, token)
    "digest of #{token}"
  end
end
"""
RUN = r"""
FediopsWaiting.send(:remove_const, :SECONDS)
FediopsWaiting::SECONDS = 1
puts JSON.generate(FediopsWaiting.look(["own@here.example"]) { |words| words.gsub("hunter2", "[secret]") })
"""


def counted(stub: str = STUB, **given: t.Any) -> t.Any:
    command = ["ruby", "-W0", "-e", stub + WAITING + RUN]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def job(jid: str, method: str = "welcome", user: int = 1, token: str = "", **more: t.Any) -> dict[str, t.Any]:
    values = [{"_aj_globalid": f"gid://mastodon/User/{user}"}, *([token] if token else [])]
    given = {"args": values, "_aj_ruby2_keywords": ["args"]}
    arguments = [more.pop("mailer", "UserMailer"), method, "deliver_now", given]
    return {
        "class": "Sidekiq::ActiveJob::Wrapper",
        "wrapped": "ActionMailer::MailDeliveryJob",
        "jid": jid,
        "args": [{"arguments": arguments}],
        "created_at": NOW - 100,
        **more,
    }


def user(number: int = 1, **more: t.Any) -> dict[str, t.Any]:
    return {"id": number, "email": f"u{number}@here.example", **more}


def test_places_times_and_errors() -> None:
    failed = {"error_class": "Net::SMTPAuthenticationError", "failed_at": NOW - 90}
    said = "535 hunter2 wrong for bob@x.example TOKENTOKEN"
    found = counted(
        users=[user()],
        started=[NOW - 9000, (NOW - 50) * 1000],
        retry=[
            [NOW + 500, job("a", **failed)],
            [NOW + 400, job("b", token="TOKENTOKEN", **failed, retried_at=(NOW - 10) * 1000, error_message=said)],
            [NOW + 400, job("b", **failed)],
            [NOW + 1, {"class": "Other", "jid": "o", "args": ["ActionMailer"]}],
        ],
        dead=[[NOW, job("c", created_at=(NOW - 1000) * 1000)]],
        schedule=[[NOW + 60, job("d")]],
        lists={"queue:mailers": [job("e")] * 3 + [job("f")], "queue:default": [{"class": "X", "jid": "y", "args": []}]},
    )
    assert found["complete"] is True
    assert found["started"] == pytest.approx(NOW - 50)
    by_place = {one["place"]: one for one in found["groups"]}
    assert {place: one["count"] for place, one in by_place.items()} == {
        "retry": 2,
        "dead": 1,
        "scheduled": 1,
        "queue": 2,
    }
    retry = by_place["retry"]
    assert retry["next_try"] == pytest.approx(NOW + 400)
    assert retry["last_failed"] == pytest.approx(NOW - 10)
    assert retry["error_message"] == "535 [secret] wrong for [address] [...]"
    assert by_place["dead"]["oldest"] == pytest.approx(NOW - 1000)
    assert by_place["dead"]["next_try"] is None


def test_what_still_makes_sense() -> None:
    reset, confirmation = "reset_password_instructions", "confirmation_instructions"
    alive = {"reset_password_token": "digest of tttt", "reset_password_sent_at": NOW - 60}
    waits = {"confirmation_token": "cccc", "confirmation_sent_at": NOW - 60}
    jobs = [
        job("a", reset, 1, "tttt"),
        job("b", reset, 1, "older"),
        job("c", reset, 2, "tttt"),
        job("d", reset, 9, "tttt"),
        job("e", reset, 3, "tttt"),
        job("f", confirmation, 4, "cccc"),
        job("g", confirmation, 5, "cccc"),
        job("h", confirmation, 6, "cccc"),
        job("i", "class_eval", mailer="ActionMailer::Base"),
    ]
    found = counted(
        users=[
            user(1, **alive),
            user(2, **{**alive, "reset_password_sent_at": NOW - 21_700}),
            user(3, **{**alive, "email": "Own@here.example"}),
            user(4, **waits),
            user(5, **{**waits, "confirmation_sent_at": NOW - 172_900}),
            user(6, **{**waits, "confirmed_at": NOW}),
        ],
        retry=[[NOW, one] for one in jobs],
    )
    told = {
        one["method"]: [one[name] for name in ("count", "fresh", "expired", "gone", "unknown")]
        for one in found["groups"]
    }
    assert told == {reset: [4, 1, 2, 1, 0], confirmation: [3, 1, 2, 0, 0]}


def test_no_secret_no_address_and_no_token_in_the_answer() -> None:
    one = job(
        "a", "reset_password_instructions", 1, "TOKENTOKEN", error_class="bad class", error_message="TOKENTOKEN u1@x"
    )
    text = json.dumps(counted(users=[user()], retry=[[NOW, {**one, "failed_at": NOW}]]))
    assert "TOKENTOKEN" not in text
    assert "@" not in text
    assert "bad class" not in text


def test_many_kinds_are_put_together() -> None:
    found = counted(users=[user()], retry=[[NOW, job(f"j{number}", f"kind_{number}")] for number in range(400)])
    assert len(found["groups"]) <= 151
    assert sum(one["count"] for one in found["groups"]) == 400
    assert {len(found["groups"]), found["groups"][-1]["mailer"]} == {151, ""}


def test_a_count_that_takes_too_long_keeps_what_it_has() -> None:
    found = counted(users=[user()], hang="dead", retry=[[NOW, job("a")]])
    assert (found["complete"], found["error"]) == (False, "FediopsWaiting::Cut")
    assert [(one["count"], one["unknown"]) for one in found["groups"]] == [(1, 1)]


def test_an_error_of_redis_is_told_by_its_class() -> None:
    found = counted(**{"raise": "redis://:secret@here"})
    assert (found["complete"], found["error"], found["groups"]) == (False, "RuntimeError", [])


def test_a_job_of_an_unknown_form_is_left_out() -> None:
    odd = {"wrapped": "ActionMailer::MailDeliveryJob", "jid": "z", "args": None}
    assert counted(users=[user()], retry=[[NOW, odd], [NOW, job("a")]])["groups"][0]["count"] == 1


def test_without_sidekiq() -> None:
    assert counted('require "json"\n') is None
