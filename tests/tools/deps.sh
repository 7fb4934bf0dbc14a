#!/bin/sh
# Installs those of the named Debian packages that are missing. DRY=1: only says what it would do.
set -eu
export DEBIAN_FRONTEND=noninteractive

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "This is no Debian: install what corresponds to these packages, then try again:" >&2
  echo "  $*" >&2
  exit 1
fi
missing=
for p in "$@"; do
  status=$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "Missing packages; as root: apt-get install -y$missing" >&2
    exit 1
  fi
  root=sudo
fi
if [ -n "${DRY:-}" ]; then
  echo "would run: $root apt-get install -y$missing"
  exit 0
fi
echo "Installing:$missing"
# shellcheck disable=SC2086 # lists of words
$root apt-get update -q >/dev/null || echo "apt-get update failed; trying with the lists that are here" >&2
# shellcheck disable=SC2086
$root apt-get install -q -y --no-install-recommends $missing >/dev/null
