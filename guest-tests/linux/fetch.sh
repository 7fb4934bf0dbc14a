#!/bin/sh
# fetch.sh DIR PACKAGE DRIVER...: the kernel that Debian's PACKAGE (linux-image-amd64, linux-image-cloud-amd64) depends on and static
# busybox into DIR, unpacked from their packages and not installed: DIR/vmlinuz, DIR/busybox and DIR/modules/ with the drivers in the
# order in which they load.
set -eu
dir=$1 meta=$2
shift 2

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "Linux is taken from Debian's packages $meta and busybox-static; this is no Debian" >&2
  exit 1
fi
rm -rf "$dir/packages" "$dir/modules"
mkdir -p "$dir/packages" "$dir/modules"
cd "$dir"
image=$(apt-cache depends "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$image" ] || { echo "apt knows no $meta: run apt-get update" >&2; exit 1; }
(cd packages && apt-get -q download "$image" busybox-static >/dev/null)
for package in packages/*.deb; do dpkg-deb -x "$package" packages/root; done
cp packages/root/bin/busybox busybox
: >modules/order
for driver; do
  file=$(find packages/root -name "$driver.ko*" | head -n 1)
  [ -n "$file" ] || { echo "the kernel's package has no $driver" >&2; exit 1; }
  cp "$file" modules/
  basename "$file" >>modules/order
done
cp packages/root/boot/vmlinuz-* vmlinuz
rm -rf packages
