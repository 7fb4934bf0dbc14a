#!/bin/sh
# fetch.sh DIR: Debian's kernel and static busybox into DIR, unpacked from their packages and not installed: DIR/vmlinuz, DIR/busybox and
# DIR/modules/ with the drivers that the initramfs carries, in the order in which they load.
set -eu
dir=$1
drivers='drm drm_kms_helper ttm drm_ttm_helper drm_vram_helper bochs evdev psmouse'

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "make linux takes Debian's packages linux-image-amd64 and busybox-static; this is no Debian" >&2
  exit 1
fi
mkdir -p "$dir/packages" "$dir/modules"
cd "$dir"
image=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$image" ] || { echo "apt knows no linux-image-amd64: run apt-get update" >&2; exit 1; }
rm -f packages/*.deb
(cd packages && apt-get -q download "$image" busybox-static >/dev/null)
for package in packages/*.deb; do dpkg-deb -x "$package" packages/root; done
cp packages/root/bin/busybox busybox
: >modules/order
for driver in $drivers; do
  file=$(find packages/root -name "$driver.ko*" | head -n 1)
  [ -n "$file" ] || { echo "the kernel's package has no $driver" >&2; exit 1; }
  cp "$file" modules/
  basename "$file" >>modules/order
done
cp packages/root/boot/vmlinuz-* vmlinuz
rm -rf packages
