# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""The Ruby that puts one plain mail into the queue, for the running Sidekiq to deliver with its own settings."""

from __future__ import annotations

import base64
import json
import typing as t

_PROGRAM = r"""
require "json"

module FediopsEnqueue
  ASKED = JSON.parse("@ASKED@".unpack1("m0"))
  AMBIENT = $!

  class << self
    # Class-level: the job then needs no mailer of the application. The message must not be touched before.
    def enqueue
      job = ActionMailer::Base.mail(
        to: ASKED["to"], subject: ASKED["subject"], body: ASKED["body"], content_type: "text/plain",
        message_id: "<#{ASKED['message_id']}>"
      ).deliver_later
      return { "refused" => true } unless job.respond_to?(:job_id)
      { "job_id" => job.job_id, "jid" => job.provider_job_id.to_s, "queue" => job.queue_name, "served" => served }
    end

    # The queues that Sidekiq processes take jobs from. They give a sign of life every ten seconds; one that was killed
    # stays listed for a minute.
    def served
      require "sidekiq/api"
      alive = Sidekiq::ProcessSet.new.select { |process| Time.now.to_f - process["beat"].to_f < 15 }
      alive.flat_map { |process| Array(process["queues"]) }.uniq
    rescue StandardError
      nil
    end

    def run
      enqueue
    rescue StandardError, ScriptError => error
      chain = []
      while error && !error.equal?(AMBIENT) && chain.length < 6
        chain << { "class" => error.class.name.to_s, "message" => error.message.to_s.scrub("?")[0, 2000] }
        error = error.cause
      end
      { "failure" => { "stage" => "queue", "chain" => chain } }
    end
  end

  STDOUT.write("\n#{ASKED['mark']}#{JSON.generate(run, ascii_only: true)}\n")
  STDOUT.flush
  exit!(0)
end
"""


def program(asked: t.Mapping[str, t.Any]) -> bytes:
    """The whole program for C(rails runner -).

    :param asked: mark (begins the answer's line), to, subject, body, message_id.
    """
    literal = base64.b64encode(json.dumps(dict(asked)).encode("utf-8")).decode("ascii")
    return _PROGRAM.replace("@ASKED@", literal).encode("utf-8")
