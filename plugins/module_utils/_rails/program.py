# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ruby program that runs in the instance's own Rails, passed on standard input.

It is written for Ruby 2.7 to 4.0, Rails 6.1 to 8.1, mail 2.7.1 to 2.9.1 and their versions of net-smtp. It was run with
Ruby 3.1 and 3.3 and Rails 6.1, 7.2, 8.0.4.1 and 8.1.3 (docs/lab.md says which of these with real parts). Its input is
one Base64 literal, never the command line. Its answer is one line that begins with a mark unique to this run, so that
other output of Rails does not matter.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import os
import types
import typing as t

from .._masking import LEFT_OUT, SHORT
from .accounts import ACCOUNTS
from .ruby import ERRORS, filled
from .waiting_program import WAITING

#: Mastodon's config/boot.rb loads Bootsnap, which caches in tmp/cache whatever a boot loads for the first time. This
#: makes it only read that cache (rails/bootsnap#428; older versions ignore it), except for a few files that it loads
#: before it reads the setting, if they are not cached yet (bootsnap: lib/bootsnap/compile_cache.rb).
GUEST: t.Mapping[str, str | None] = types.MappingProxyType({"BOOTSNAP_READONLY": "1"})

#: For a dry run: runs before Rails boots and makes dotenv read the planned text instead of one file. Standard input
#: holds a header line (length, and the path in Base64; no path if dotenv does not read the planned file), that many
#: bytes of planned text, and then the program for C(rails runner -). It requires no library: a gem that is loaded
#: before Bundler is set up may have another version than the application's, which Bundler rejects. A dry run must not
#: write anything, so it boots without Bootsnap if that is too old for read-only mode (before 1.16, with Mastodon 4.0).
#: Sources: Dotenv::Environment#read exists in dotenv 2.0 to 3.2; bin/rails loads config/boot and rails/commands.
PRELUDE = r"""
module FediopsPlanned
  length, path = $stdin.gets.split
  @path = path && path.unpack1("m0").force_encoding("UTF-8")
  @text = $stdin.read(length.to_i).to_s.force_encoding("UTF-8").delete_prefix("\uFEFF")
  @used = false
  class << self
    def real(path)
      File.realpath(path)
    rescue SystemCallError
      File.expand_path(path)
    end

    def text_for(path)
      return unless @path && real(path) == real(@path)
      @used = true
      @text
    end

    # Nil where there is no planned file to read.
    def used
      @path && @used
    end
  end
  module Read
    def read
      FediopsPlanned.text_for(@filename) || super
    end
  end
end
TracePoint.new(:end) do |trace|
  case trace.self.is_a?(Module) && trace.self.name
  when "Bootsnap::CompileCache::ISeq"
    # Bootsnap itself heeds the variable below only after it has loaded, and cached, some more files.
    Bootsnap::CompileCache::Native.readonly = true if Bootsnap::CompileCache::Native.respond_to?(:readonly=)
  when "Dotenv::Environment"
    trace.disable
    trace.self.prepend(FediopsPlanned::Read)
  end
end.enable
bootsnap = File.exist?("Gemfile.lock") ? File.read("Gemfile.lock")[/^    bootsnap \((\d[\d.]*)/, 1] : nil
quiet = Gem::Version.new(bootsnap || "0") >= Gem::Version.new("1.16")
ENV[quiet ? "BOOTSNAP_READONLY" : "DISABLE_BOOTSNAP"] = "1"
rails = File.expand_path("bin/rails")
abort "bin/rails is not a Ruby program" unless File.open(rails, "rb", &:gets).to_s =~ /\A#!.*ruby/
ARGV.replace(%w[runner -])
$0 = rails
load rails
"""

_PROGRAM = (
    (
        r"""
require "json"
require "openssl"
require "net/smtp"
"""
        + ERRORS
        + ACCOUNTS
        + WAITING
        + r"""
module FediopsCheck
  ASKED = JSON.parse("@ASKED@".unpack1("m0"))

  # Raised in place of a connection, when nothing may be sent. Not an error that anybody rescues.
  class Rehearsed < Exception; end

  # A mailer with an action of its own: ActionMailer::Base.mail is gone from Rails 8.1.1 on (rails/rails#56449).
  class Message < ActionMailer::Base
    def plain(headers)
      mail(headers)
    end
  end

  # Follows net-smtp through its dialogue: what it is at, whom it names, what it was told last.
  module Dialogue
    class << self
      attr_accessor :stage, :rehearsal, :sender, :answer, :greeted

      def reset(rehearsal)
        self.stage = "build"
        self.sender = self.answer = self.greeted = nil
        self.rehearsal = rehearsal
      end
    end

    def self.step(name, &work)
      define_method(name, &work)
      ruby2_keywords(name) if respond_to?(:ruby2_keywords, true)
    end

    step(:tcp_socket) do |*args|
      raise Rehearsed if Dialogue.rehearsal
      Dialogue.stage = "connect"
      socket = super(*args)
      Dialogue.stage = "banner"
      socket
    end
    step(:tlsconnect) do |*args|
      Dialogue.stage = "tls"
      socket = super(*args)
      Dialogue.stage = Dialogue.greeted ? "ehlo" : "banner"
      socket
    end
    step(:do_helo) do |*args|
      Dialogue.greeted = true
      Dialogue.stage = "ehlo"
      super(*args)
    end
    { starttls: "starttls", authenticate: "auth", rcptto: "rcpt" }.each do |name, stage|
      step(name) do |*args, &block|
        Dialogue.stage = stage
        super(*args, &block)
      end
    end
    step(:mailfrom) do |*args|
      Dialogue.stage = "mail"
      Dialogue.sender = args.first.respond_to?(:address) ? args.first.address : args.first.to_s
      super(*args)
    end
    step(:data) do |*args, &block|
      Dialogue.stage = "data"
      response = super(*args, &block)
      Dialogue.answer = response.string if response.respond_to?(:string)
      response
    end
  end
  Net::SMTP.prepend(Dialogue)

  class << self
    def relays
      main = ActionMailer::Base.smtp_settings.to_h
      { "main" => main, "bulk" => bulk }.compact
    end

    # As BulkMailSettingsConcern finds it (Mastodon 4.4 and later).
    def bulk
      email = Rails.configuration.x.email
      configured = email.bulk_mail if email.respond_to?(:bulk_mail)
      settings = configured && configured[:smtp_settings]
      return if settings.nil? || settings[:address].blank?
      Mastodon::EmailConfigurationHelper.convert_smtp_settings(settings).to_h
    end

    def plain(value)
      case value
      when nil, true, false, Integer, Float then value
      else text(value)
      end
    end

    def text(value)
      value.to_s.dup.force_encoding("UTF-8").scrub("?")
    end

    # Error texts may quote what was sent; nothing secret of Rails' own may leave. As _masking.py has it: a mask within
    # an ordinary word would tell what it hides.
    def clean(value)
      passwords, logins = %i[password user_name].map { |key| relays.values.map { |one| text(one[key]) } }
      hidden = passwords.reject(&:empty?) + logins.reject { |one| one.length < 6 }
      hidden += hidden.map { |one| [one].pack("m0") }
      long, short = hidden.sort_by { |one| -one.length }.partition { |one| one.length >= @SHORT@ }
      words = long.reduce(text(value)[0, 2000]) { |said, one| said.gsub(one, "[secret]") }
      short.any? { |one| stands?(one, words) } ? "@LEFT_OUT@" : words
    end

    def stands?(secret, words)
      before, after = [secret[0], secret[-1]].map { |char| char =~ /[[:alnum:]]/ }
      words.match?(/#{'(?<![[:alnum:]])' if before}#{Regexp.escape(secret)}#{'(?![[:alnum:]])' if after}/)
    end

    def shown(settings)
      {
        "settings" => settings.reject { |key, _| %w[user_name password].include?(key.to_s) }
                              .map { |key, value| [key.to_s, plain(value)] }.to_h,
        "login_set" => settings[:user_name] ? true : false,
        "password_set" => settings[:password] ? true : false
      }
    end

    def digest(value)
      OpenSSL::HMAC.hexdigest("SHA256", ASKED["salt"], value.to_s.b)
    end

    def matches(name, settings)
      wanted = ASKED["digests"].fetch(name, {})
      wanted.map do |what, intended|
        held = settings[{ "password" => :password, "login" => :user_name }.fetch(what)]
        [what, held ? digest(held) == intended : false]
      end.to_h
    end

    def default(name)
      mailer = defined?(ApplicationMailer) ? ApplicationMailer : ActionMailer::Base
      value = mailer.default_params[name]
      value.is_a?(Proc) || value.nil? ? nil : text(value)
    end

    def versions
      {
        "release" => defined?(Mastodon::Version) ? text(Mastodon::Version) : nil,
        "rails" => Rails.version,
        "mail" => Mail::VERSION.version,
        "net_smtp" => defined?(Net::SMTP::VERSION) ? Net::SMTP::VERSION : nil,
        "ruby" => RUBY_VERSION
      }
    end

    def state(relays)
      {
        "versions" => versions,
        "delivery_method" => text(ActionMailer::Base.delivery_method),
        "from" => default(:from),
        "reply_to" => default(:reply_to),
        "return_path" => default(:return_path),
        "relays" => relays.transform_values { |settings| shown(settings) },
        "matches" => relays.map { |name, settings| [name, matches(name, settings)] }.to_h,
        "perform_deliveries" => ActionMailer::Base.perform_deliveries ? true : false,
        "raise_delivery_errors" => ActionMailer::Base.raise_delivery_errors ? true : false,
        "planned_read" => defined?(FediopsPlanned) ? FediopsPlanned.used : nil
      }
    end

    def failure(error)
      { "stage" => Dialogue.stage, "chain" => FediopsErrors.chain(error, Rehearsed) { |text| clean(text) } }
    end

    def message(name, settings)
      mail = Message.plain(
        to: ASKED["to"] || "nobody@example.invalid", subject: ASKED["subject"], body: ASKED["body"][name],
        content_type: "text/plain", "Auto-Submitted" => "auto-generated"
      )
      mail.message.delivery_method.settings = settings if name == "bulk"
      mail
    end

    # Everything but the connection: what the mail gem makes of the settings.
    def rehearse(name, settings)
      Dialogue.reset(true)
      mail = message(name, settings).message
      begin
        mail.delivery_method.deliver!(mail)
      rescue Rehearsed
        # What the gem looks at once it is connected: Mail::SMTPConnection#deliver!, with the second up to 2.7.
        defined?(Mail::SmtpEnvelope) ? Mail::SmtpEnvelope.new(mail) : Mail::CheckDeliveryParams.check(mail)
      end
      nil
    rescue StandardError, ScriptError => error
      failure(error)
    end

    def deliver(name, settings)
      Dialogue.reset(false)
      mail = message(name, settings)
      error = nil
      begin
        mail.deliver_now
      rescue StandardError, ScriptError => raised
        error = failure(raised)
      end
      {
        "relay" => name, "to" => ASKED["to"], "message_id" => mail.message.message_id,
        "envelope_from" => Dialogue.sender || mail.message.smtp_envelope_from,
        "answer" => Dialogue.answer && clean(Dialogue.answer).strip, "error" => error
      }
    end

    def run
      Dialogue.reset(true)
      found = relays
      answer = state(found)
      answer["accounts"] = (ASKED["accounts"] || {}).transform_values { |address| FediopsAccounts.look(address) }
      answer["rehearsals"] = {}
      answer["messages"] = []
      found.each do |name, settings|
        if ASKED["send"].include?(name)
          ActionMailer::Base.raise_delivery_errors = true
          answer["messages"] << deliver(name, settings)
        elsif ActionMailer::Base.delivery_method.to_s == "smtp"
          answer["rehearsals"][name] = rehearse(name, settings)
        end
      end
      own = (ASKED["accounts"] || {}).values.map { |address| address.to_s.downcase }
      answer["waiting"] = FediopsWaiting.look(own) { |words| clean(words) }
      answer
    rescue StandardError, ScriptError => error
      { "failure" => failure(error) }
    end
  end

  STDOUT.write("\n#{ASKED['mark']}#{JSON.generate(run, ascii_only: true)}\n")
  STDOUT.flush
  # No handler of the application may hang or print after the answer.
  exit!(0)
end
"""
    )
    .replace("@SHORT@", str(SHORT))
    .replace("@LEFT_OUT@", LEFT_OUT)
)


def program(asked: t.Mapping[str, t.Any]) -> bytes:
    """The whole program for C(rails runner -).

    :param asked: mark (begins the answer's line), salt (hexadecimal), digests ({relay: {password|login: HMAC-SHA256 in
        hexadecimal}}), send (relays to send a message through), to, subject, body ({relay: text}), accounts ({our name
        for it: address}, see accounts.py).
    """
    return filled(_PROGRAM, asked)


def planned_input(path: str | None, planned: bytes, rest: bytes) -> bytes:
    """Standard input for PRELUDE: the header, the planned bytes of the file at C(path), the program."""
    where = base64.b64encode(os.fsencode(path or ""))
    return b"%d %s\n" % (len(planned), where) + planned + rest
