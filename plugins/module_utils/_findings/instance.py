# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be wrong with finding an instance, reading its settings and restarting its services."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

_DOTENV = "dotenv: Dotenv::Rails files and precedence; the process environment is never overridden"
_UNITS = "systemd.exec(5), systemctl(1)"

TABLE = Table(
    # Finding it
    Code(
        "no-systemd",
        "error",
        "The host does not run systemd, or systemd does not answer.",
        "A source install is found through its systemd units. Check that this is the right host.",
        _UNITS,
    ),
    Code(
        "systemd-answer",
        "error",
        "A systemctl or journalctl command failed for an unknown reason.",
        "Run the command named in the message on the host.",
        _UNITS,
    ),
    Code(
        "no-instance",
        "error",
        "No systemd unit leads to a Mastodon app directory.",
        "Take the host out of the inventory group, or name the units with mastodon_smtp_services "
        "and the directory with mastodon_smtp_app_dir.",
        "Mastodon dist/mastodon-web.service",
    ),
    Code(
        "mastodon-not-driven",
        "error",
        "Mastodon runs on the host, but is kept in a way that this collection does not drive (docs/deployments.md).",
        "The message names the process and what keeps it, and what to do in that case.",
        "proc(5); the control groups of a process name its keeper",
    ),
    Code(
        "half-not-driven",
        "error",
        "Only web, or only Sidekiq, of the instance is kept in a way that this collection drives. The other half runs "
        "on the same host in another way (docs/deployments.md), and would keep its old settings.",
        "The message names the process, what keeps it, and what to do in that case. If you restart that half yourself "
        "after each rollout, accept this code with mastodon_smtp_accept.",
        "proc(5); the control groups of a process name its keeper",
    ),
    Code(
        "several-instances",
        "error",
        "More than one Mastodon instance runs on the host.",
        "Select one with mastodon_smtp_app_dir, and give each instance its own inventory host.",
    ),
    Code(
        "service-unknown",
        "error",
        "A service that the inventory names does not exist on the host.",
        "Correct mastodon_smtp_services, or leave it out: services are found automatically.",
    ),
    Code(
        "service-role-unknown",
        "error",
        "The role of a named service (web, sidekiq or streaming) cannot be determined.",
        "Give the unit a name that contains web, sidekiq or streaming, or let its ExecStart call puma or sidekiq.",
    ),
    Code(
        "unit-with-two-roles",
        "error",
        "One systemd unit runs both web and Sidekiq (foreman, a script), so neither can be restarted alone.",
        "Give each its own unit, as in Mastodon's folder dist (mastodon-web.service and mastodon-sidekiq.service).",
        "Mastodon dist/*.service, Procfile",
    ),
    Code(
        "app-dir-missing",
        "error",
        "The app directory does not exist or cannot be entered.",
        "Correct mastodon_smtp_app_dir, or the WorkingDirectory of the units.",
    ),
    Code(
        "app-dir-not-mastodon",
        "error",
        "The directory does not contain Mastodon (lib/mastodon/version.rb is missing).",
        "Set mastodon_smtp_app_dir to Mastodon's directory, usually /home/mastodon/live.",
        "Mastodon lib/mastodon/version.rb",
    ),
    Code(
        "release-unreadable",
        "error",
        "The Mastodon release cannot be read from lib/mastodon/version.rb.",
        "Restore the file from the release (git -C APP_DIR checkout lib/mastodon/version.rb).",
        "Mastodon lib/mastodon/version.rb",
    ),
    Code(
        "user-unknown",
        "error",
        "The user that Mastodon is configured to run as does not exist on the host.",
        "Correct mastodon_smtp_user, or the User= of the units.",
    ),
    Code(
        "not-permitted",
        "error",
        "Ansible's login user is not permitted to do this.",
        "Run the task with become: true.",
    ),
    # The environment file
    Code(
        "env-file-empty",
        "warning",
        "The environment file is empty.",
        "Mastodon cannot run like this. Check that this is the right file, and restore it from a backup if its "
        "content was lost.",
    ),
    Code(
        "file-time-ahead",
        "warning",
        "A settings file has a modification time in the future, so the host's clock is or was wrong.",
        "Check the clock (timedatectl, chronyc tracking) and correct it. If it is correct, set the file to the "
        "current time with touch.",
        "Whether a service is stale is then told by the inode's time, else by what was seen before the last restart",
    ),
    Code(
        "override-hides-file",
        "warning",
        "A mail variable is set somewhere that overrides the environment file. If that contradicts the plan, it is the "
        "error override-contradicts.",
        "Remove it there; otherwise its value in the environment file has no effect.",
        _DOTENV,
    ),
    Code(
        "layer-unreadable",
        "unknown",
        "A file that may also set mail variables could not be read.",
        "Check by hand that it sets no SMTP_ or BULK_SMTP_ variable.",
        _DOTENV,
    ),
    Code(
        "unit-environment-hidden",
        "unknown",
        "systemd does not print one of the unit's Environment= values, so it could not be checked.",
        "Check with systemctl cat that the unit sets no SMTP_ or BULK_SMTP_ variable.",
        "systemctl before 250 prints [unprintable] for values with blanks",
    ),
    # Running something in it
    Code(
        "app-command-missing",
        "error",
        "One of the app's programs cannot be started.",
        "Check that the app directory is complete and that its Ruby is installed for the instance's user.",
    ),
    # What its services' sandbox keeps from them
    Code(
        "ca-file-hidden",
        "error",
        "The unit's sandbox settings hide the CA file from a service.",
        "Move it to a directory that services see, such as /etc/ssl/certs, and correct mastodon_smtp_ca_file.",
        "systemd.exec(5); Mastodon dist/mastodon-sidekiq.service has PrivateTmp=true",
    ),
    Code(
        "sendmail-in-sandbox",
        "error",
        "A service may not run setuid or setgid programs, and this host's sendmail needs that.",
        "Send by SMTP to the mail server on this host instead: set mastodon_smtp_delivery_method to smtp, "
        "mastodon_smtp_host to localhost and mastodon_smtp_port to 25.",
        "systemd.exec(5), NoNewPrivileges=; postdrop(1) is setgid; Mastodon dist/mastodon-sidekiq.service",
    ),
    # Its services
    Code(
        "no-mail-services",
        "error",
        "No web or sidekiq service belongs to the instance.",
        "Name them with mastodon_smtp_services.",
        "Mastodon dist/mastodon-sidekiq.service",
    ),
    Code(
        "service-masked",
        "error",
        "A service runs on old settings and cannot be restarted because it is masked.",
        "Unmask it with systemctl unmask, or stop it if it is not needed.",
        _UNITS,
    ),
    Code(
        "step-out-of-time",
        "error",
        "A step did not finish within its time limit and was stopped.",
        "Something that it depends on does not answer: a disk, a network file system, a name server, the Docker "
        "Engine. If the host is just slow, raise the timeout of the step.",
    ),
    Code(
        "service-stopped",
        "warning",
        "A web or Sidekiq service is stopped although it is meant to run. A rollout leaves it stopped; in a drift "
        "check it is an error, unless it is accepted.",
        "Start it when the instance is ready to send mail; it then reads the current settings. If it is not meant to "
        "run here, disable it.",
    ),
    Code(
        "mail-not-served",
        "error",
        "No Sidekiq service is running, so queued mail stays in the queue. A rollout starts none that somebody has "
        "stopped, and says so before the edit.",
        "Start the instance's Sidekiq. If it runs on another host, disable the unit here, or name this host's services "
        "with mastodon_smtp_services. If it is to stay stopped, accept this code and service-stopped with "
        "mastodon_smtp_accept.",
    ),
    Code(
        "sidekiq-elsewhere",
        "info",
        "Only the web service is set up on this host: Sidekiq on another host sends its mail.",
        "Add the host that runs Sidekiq to the same group.",
    ),
    Code(
        "web-elsewhere",
        "info",
        "Only Sidekiq is set up on this host: the web service on another host queues the mail.",
        "Add the host that runs the web service to the same group.",
    ),
    Code(
        "service-failing-before",
        "warning",
        "A web or Sidekiq service was already failing before anything was changed. In a drift check it is an error.",
        "Read its full log (journalctl or docker logs) and fix the cause. If the mail settings are the cause, the "
        "rollout corrects them.",
        "Mastodon's units have Restart=always, so a boot error flaps between activating and active",
    ),
    Code(
        "restart-refused",
        "error",
        "A service could not be restarted.",
        "The error is in the message; run the same command on the host.",
        _UNITS,
    ),
    Code(
        "service-failed",
        "error",
        "A service did not come back up after its restart.",
        "The last lines of its log are in the message; the full log is in journalctl or docker logs.",
    ),
    Code(
        "service-crash-loop",
        "error",
        "A service keeps crashing and restarting.",
        "The last lines of its log are in the message; the full log is in journalctl or docker logs.",
        "Mastodon's units have Restart=always, so a boot error flaps between activating and active",
    ),
    Code(
        "service-restarted-elsewhere",
        "info",
        "Something else restarted a service during the check; it came back and stayed up.",
        "Nothing to do if that was intended (unattended-upgrades, another administrator).",
        "systemd.service(5), NRestarts counts automatic restarts only; Docker Engine API, RestartCount",
    ),
    Code(
        "service-not-ready",
        "error",
        "A service was not ready within the time limit.",
        "If the host is just slow, raise mastodon_smtp_service_timeout.",
    ),
    Code(
        "service-not-current",
        "error",
        "A restarted service still has different values than its files.",
        "Something else is changing the files or the services; run the task again when it has finished.",
    ),
    Code(
        "readiness-unknown",
        "unknown",
        "It could not be determined whether a service has finished booting.",
        "It is running and stayed up; check its log if in doubt.",
    ),
    Code(
        "log-unreadable",
        "unknown",
        "The log of the services could not be read.",
        "Read it on the host with journalctl or docker logs.",
    ),
)
