#!/bin/sh
# fetch.sh DIR: noVNC's client library into DIR, from Debian's package, which is unpacked and not installed (it depends on a server of its
# own). Where it is installed, that copy is taken.
set -eu
dir=$1
from=/usr/share/novnc
packages=
if [ ! -e "$from/core/rfb.js" ]; then
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "noVNC is not in $from, and this is no Debian to get it from: '--view web' will not work" >&2
    exit 0
  fi
  packages=$(mktemp -d)
  trap 'rm -rf "$packages"' EXIT
  chmod 755 "$packages"
  if ! (cd "$packages" && { apt-get -q download novnc || { apt-get -q update && apt-get -q download novnc; }; }) >"$packages/log" 2>&1; then
    cat "$packages/log" >&2
    echo "noVNC could not be fetched: '--view web' will not work until 'make' finds it" >&2
    exit 0
  fi
  dpkg-deb -x "$packages"/novnc_*.deb "$packages/root"
  from=$packages/root/usr/share/novnc
fi
mkdir -p "$dir"
cp -RL "$from/core" "$from/vendor" "$dir/"
