#!/bin/bash
# guest-pictures.sh BUILD DIR: the pictures of docs/guests.md: runs guests that nobody here wrote and leaves DIR/guest-NAME.png. Their
# files come from Debian's packages, unpacked below BUILD and not installed; SeaBIOS and its ROMs are installed.
set -euo pipefail
build=$1 dir=$1/guests out=$2
tessera=$build/tessera
seabios=/usr/share/seabios/bios-256k.bin
mkdir -p "$dir/packages" "$dir/shots"

if [ ! -e "$dir/boot/ipxe.lkrn" ]; then
  (cd "$dir/packages" && apt-get -q download memtest86+ ipxe grub-invaders >/dev/null)
  for package in "$dir"/packages/*.deb; do dpkg-deb -x "$package" "$dir"; done
fi

pid=
trap '[ -z "$pid" ] || kill "$pid"' EXIT
ctl() { "$tessera" ctl --control "$dir/sock" "$@"; }

# picture NAME GUEST OPTIONS...: starts it, does what the function act_NAME does, and takes head 0's picture.
picture() {
  local name=$1
  shift
  : >"$dir/$name.log"
  "$tessera" run --machine qemu --view none --timeout 300 --control "$dir/sock" --log "$dir/$name.log" "$@" >"$dir/$name.txt" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 300); do grep -q ' guest: ' "$dir/$name.log" && break; sleep 0.2; done
  "act_$name"
  ctl screenshot "$dir/shots"
  ctl quit
  wait "$pid" || true
  pid=
  cp "$dir/shots/head0.png" "$out/guest-$name.png"
}

act_memtest() { # begins at once
  for _ in $(seq 5); do sleep 3; ctl key enter; done
  sleep 15
}

act_invaders() {
  sleep 6
  ctl key space
  sleep 0.7
  ctl pause
  sleep 2
}

act_ipxe() { # to its prompt, and a command
  for _ in $(seq 60); do grep -q 'Booting from ROM' "$dir/ipxe.log" && break; sleep 0.5; done
  for _ in $(seq 20); do ctl key ctrl b && sleep 0.7; done
  ctl type 'help\n'
  sleep 3
}

act_linux() { # its text console, before the driver takes the head over
  for _ in $(seq 300); do grep -q 'registered as rtc0' "$dir/linux.txt" && break; sleep 0.2; done
  ctl pause
  sleep 3 # what was on its way arrives
}

picture memtest "$dir/boot/memtest86+x64.bin" -- vga=normal
picture invaders "$dir/boot/invaders.exec"
picture ipxe "$seabios" --module "$dir/boot/ipxe.lkrn=kernel"
if [ -e "$build/linux/vmlinuz" ]; then
  picture linux "$build/linux/vmlinuz" --initrd "$build/linux/initrd" --memory 512 -- vga=normal console=ttyS0,115200 console=tty0
fi
