# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be wrong with an instance that Docker Compose runs."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

_PRECEDENCE = "docs.docker.com, Environment variables precedence in Docker Compose"

TABLE = Table(
    # The Engine
    Code(
        "no-engine",
        "error",
        "The host has no docker command.",
        "Check that this is the right host. An instance in containers is found through Docker.",
    ),
    Code(
        "engine-down",
        "error",
        "The Docker Engine does not answer.",
        "Start it (systemctl start docker) and see why it was down (journalctl -u docker).",
    ),
    Code(
        "engine-answer",
        "error",
        "A docker command failed for an unknown reason.",
        "Run the command named in the message on the host.",
    ),
    Code(
        "engine-of-another-user",
        "error",
        "The project runs under another user's rootless Docker Engine, not the one that Ansible connected to.",
        "Log in as that user without become, or set ansible_become_user to that user.",
        "docs.docker.com, Rootless mode",
    ),
    Code(
        "compose-missing",
        "error",
        "The host has no Docker Compose 2.",
        "Install the plugin (Debian: docker-compose; Docker's own packages: docker-compose-plugin). Compose 1 has "
        "been unsupported since 2023.",
        "docs.docker.com, Migrate to Compose v2",
    ),
    # The project
    Code(
        "no-compose-instance",
        "error",
        "No Compose project on the host runs Mastodon.",
        "Name the directory of the Compose file with mastodon_smtp_app_dir.",
    ),
    Code(
        "compose-file-missing",
        "error",
        "A file or directory that the project was started from no longer exists.",
        "Put it back, or start the project once from where it is now (docker compose up -d).",
    ),
    Code(
        "project-from-elsewhere",
        "error",
        "Containers of a project with this name were started from a directory other than the configured one.",
        "Set mastodon_smtp_app_dir to the directory that they were started from, and mastodon_smtp_project if it is "
        "another instance. If the directory was moved, start the project once from its new location (docker compose "
        "up -d).",
        "docs.docker.com, Specify a project name: the name alone tells the projects of a host apart",
    ),
    Code(
        "compose-refused",
        "error",
        "Docker Compose rejects the project's files.",
        "Run docker compose config in the project's directory; it shows where the error is.",
    ),
    Code(
        "service-reads-no-file",
        "error",
        "A service of the instance does not read the environment file, so an edit would not reach it.",
        "Add the file to env_file of the service in the Compose file, or pass on each SMTP variable from .env there.",
        _PRECEDENCE,
    ),
    Code(
        "env-file-path-unclear",
        "error",
        "The Compose file sets the path of its environment file through a variable.",
        "Set mastodon_smtp_env_file to the file.",
    ),
    # What a new container would be
    Code(
        "image-missing",
        "error",
        "An image is not on the host, so no container can be made from it.",
        "Fetch it (docker compose pull) and bring the instance up with it first; this collection pulls nothing.",
    ),
    Code(
        "image-changed",
        "error",
        "The Compose file names a different image than the running one, so a new container would run another release.",
        "Finish that update first, with its migrations, or put the old image back into the Compose file.",
        "Mastodon's release notes: migrations before and after an update",
    ),
    Code(
        "interpolation-lost",
        "error",
        "A running container has a variable that was set by hand; a new container would not have it.",
        "Write the variable to the .env file beside the Compose file.",
        _PRECEDENCE,
    ),
    Code(
        "interpolation-changed",
        "warning",
        "An environment: entry of the Compose file has a different value now than in the running container.",
        "Check the .env file beside the Compose file: a new container gets the value from there.",
        _PRECEDENCE,
    ),
    Code(
        "made-by-compose-1",
        "error",
        "A container was created by Compose 1, which reads the file differently from Compose 2.",
        "Check which values are intended (docker compose config shows those of Compose 2), correct the file, and "
        "recreate the containers with Compose 2 first (docker compose up -d).",
        "docker/docs#12000; docs.docker.com, Migrate to Compose v2",
    ),
    Code(
        "containers-not-replaced",
        "error",
        "Docker Compose could not recreate the containers of a service.",
        "Its error is in the message; run docker compose up -d on the host.",
    ),
    # Between its sidekiq and the relay
    Code(
        "relay-is-the-container",
        "error",
        "Inside a container, localhost is the container itself, and no relay runs there.",
        "Set mastodon_smtp_host to an address that the containers can reach: the host's address on their network "
        "(host.docker.internal with extra_hosts), or its public name.",
        "mastodon#2670, #11440",
    ),
    Code(
        "network-without-way-out",
        "error",
        "All networks of the sidekiq service are internal: it reaches nothing outside.",
        "Give the sidekiq service a network that is not internal, such as external_network in Mastodon's own file.",
        "mastodon#22496; Compose specification, networks, internal",
    ),
    Code(
        "ca-file-not-in-image",
        "error",
        "The CA file does not exist in the container, even if the host has it.",
        "Mount it into web and sidekiq (volumes: - FILE:FILE:ro), or name a file that the image has.",
    ),
    Code(
        "looked-from-host",
        "unknown",
        "The relay was probed from the host, not from the container's network.",
        "Run the task as root to probe from the container's network.",
    ),
)
