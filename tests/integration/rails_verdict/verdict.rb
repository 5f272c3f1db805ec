# frozen_string_literal: true

# Runs on a lab host in the application's folder and lets the collection's own program report what Rails uses, a child of
# its own for each case. A case with "boot" boots the whole application with its variables. The others are forked from an
# application that was booted with none: the release's configuration of mail is evaluated again, with theirs.
# Standard input: a line of JSON {mark, program, cases: [{release, variables, boot}]}, the cases of a release together.
# Standard output: a line of JSON per case.
require 'json'

ASKED = JSON.parse($stdin.gets)

ENV['RAILS_ENV'] = 'production'
require File.expand_path('config/boot', Dir.pwd)
require 'logger'
%w[rails action_controller/railtie action_view/railtie action_mailer/railtie active_job/railtie mail sidekiq dotenv
   net/smtp openssl yaml].each { |library| require library }

# What the file sets beside mail, so that the application boots; the mail variables come from the case alone.
BASE = Dotenv::Parser.call(File.read('.env.production')).reject { |name, _| name.match?(/\A(BULK_)?SMTP_/) || name == 'LOCAL_DOMAIN' }
def Dotenv.load(*) = {}

# What a session is about to do when it would connect.
module Seen
  def do_start(helo, user, secret, authtype, *rest)
    @seen_auth = user ? (authtype || 'plain').to_s.downcase.tr('-', '_') : 'none'
    super
  end

  def tcp_socket(*args)
    tls = if tls? then 'implicit'
          elsif starttls_always? then 'starttls'
          elsif starttls_auto? then 'starttls_optional'
          else 'none'
          end
    $stdout.puts("seen #{JSON.generate('address' => address, 'tls' => tls, 'auth' => @seen_auth, 'verify' => seen_verify(tls))}")
    super
  end

  # Without a context of the mail gem's, net-smtp makes one of its own when TLS begins, and that one verifies.
  def seen_verify(tls)
    return 'none' if tls == 'none'

    context = tls == 'implicit' ? @ssl_context_tls : @ssl_context_starttls
    (context || Net::SMTP.default_ssl_context).verify_mode == OpenSSL::SSL::VERIFY_NONE ? 'none' : 'peer'
  end
end

def pretend_release(text)
  version = Module.new
  version.define_singleton_method(:to_s) { text }
  version.define_singleton_method(:gem_version) { Gem::Version.new(text.split('+').first) }
  (defined?(Mastodon) ? Mastodon : Object.const_set(:Mastodon, Module.new)).const_set(:Version, version)
  $LOADED_FEATURES << File.expand_path('lib/mastodon/version.rb')
end

def chain(error)
  found = []
  while error
    found << [error.class.name, error.message[0, 300]]
    error = error.cause
  end
  found
end

# Only mail that goes by SMTP is rehearsed by the program; this shows a delivery method that does not exist.
def delivery_method_error
  ActionMailer::Base.class_eval { new.mail(to: 'nobody@example.invalid', subject: 'x', body: 'x') }
  nil
rescue StandardError => error
  error.class.name
end

def boot
  require File.expand_path('config/environment', Dir.pwd)
end

# What config/application.rb, config/environments/production.rb and Action Mailer's Railtie do about mail while booting.
def configure_again
  era = Lab::MailerEra.current
  application = Rails.application
  application.config.x.email = application.config_for(:email) if era.email_yml?
  $LOADED_FEATURES.reject! { |path| path.include?('/config/mailer_eras/') }
  load era.settings_file
  mail = application.config.action_mailer
  ActionMailer::Base.delivery_method = mail.delivery_method
  ActionMailer::Base.smtp_settings = mail.smtp_settings
  ActionMailer::Base.default_options = mail.default_options
end

def report
  begin
    yield
  rescue StandardError, ScriptError => error
    puts ASKED['mark'] + JSON.generate('boot' => chain(error))
    return
  end
  error = delivery_method_error unless ActionMailer::Base.delivery_method == :smtp
  puts "method #{error}" if error
  TOPLEVEL_BINDING.eval(ASKED['program'].sub('STDOUT.write(', 'Net::SMTP.prepend(Seen); STDOUT.write('))
end

# The lines that a child prints.
def in_child
  reading, writing = IO.pipe
  child = fork do
    reading.close
    $stdout.reopen(writing)
    $stdout.sync = true
    $stderr.reopen(File::NULL)
    yield
    exit!(0)
  end
  writing.close
  reading.read.force_encoding('UTF-8').scrub.lines(chomp: true)
ensure
  Process.wait(child)
end

def answer(one)
  lines = in_child do
    ENV.update(one['variables'])
    report { one['boot'] ? boot : configure_again }
  end
  answer = lines.find { |line| line.start_with?(ASKED['mark']) }
  seen = lines.filter_map { |line| JSON.parse(line.delete_prefix('seen ')) if line.start_with?('seen {') }
  method = lines.find { |line| line.start_with?('method ') }
  JSON.generate('seen' => seen, 'method_error' => method && method.delete_prefix('method '),
                'answer' => answer && JSON.parse(answer.delete_prefix(ASKED['mark'])),
                'printed' => answer ? nil : lines.last(5))
end

ENV.update(BASE)
ASKED['cases'].chunk_while { |one, other| one['release'] == other['release'] }.each do |cases|
  whole, again = cases.partition { |one| one['boot'] }
  puts(in_child do
    pretend_release(cases.first['release'])
    whole.each { |one| puts answer(one) }
    boot
    again.each { |one| puts answer(one) }
  end)
end
