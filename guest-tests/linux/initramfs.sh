#!/bin/sh
# initramfs.sh OUT DIR INIT [PROGRAM]...: an initramfs of DIR/busybox, DIR/modules, the init script and the programs as /NAME.
set -eu
out=$1 dir=$2 init=$3
shift 3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/bin" "$root/dev" "$root/proc" "$root/sys"
cp "$dir/busybox" "$root/bin/busybox"
cp -r "$dir/modules" "$root/modules"
cp "$init" "$root/init"
for program; do install -m 755 "$program" "$root/"; done
chmod 755 "$root/init" "$root/bin/busybox"
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible) | gzip -n -1 >"$out"
