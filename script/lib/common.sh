# Shared by the scripts: source it from the root of the checkout.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The environment of a lane on PATH, and the places where Ansible looks.
use_lane() { # [default|lts|oldest|newest]
  venv=$(script/bootstrap "${1:-default}" | tail -n 1)
  export PATH="$venv/bin:$PATH"
  export ANSIBLE_COLLECTIONS_PATH="$PWD/.work/collections"
  export ANSIBLE_HOME="$PWD/.work/ansible-home"
  # For molecule, which would look for the scenarios of a collection in extensions/ and warn of those at the root, and would
  # look for the lab's hosts while it makes them.
  export MOLECULE_GLOB='molecule/*/molecule.yml' MOLECULE_ANSIBLE_ARGS_STRICT_MODE=1
  # Ansible refuses a locale that is not UTF-8; minimal machines have only this one.
  export LC_ALL=C.UTF-8
}

# The files of the collection as git knows them (and new ones it does not ignore), in the folder names that Ansible wants.
copy_tree() { # TARGET
  local tree=$1/ansible_collections/fediops/mastodon
  rm -rf "$1" && mkdir -p "$tree"
  git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ -e "$file" ] && printf '%s\0' "$file"
  done | tar --null -T - -cf - | tar -xf - -C "$tree"
  printf '%s\n' "$tree"
}
