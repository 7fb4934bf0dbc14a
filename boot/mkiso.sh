#!/bin/sh
# A bootable ISO with GRUB: mkiso.sh OUT.iso GRUB_CFG FILE...
# The files go to /boot under their own names, GRUB_CFG to /boot/grub/grub.cfg. Quiet unless it fails.
# GRUB_MODULES: more of GRUB's modules, such as linux.
# For i386-pc (BIOS) only, with the few GRUB modules that a boot needs: small, and made in well under a second.
# They are files on the CD, as in host/iso.c.
set -eu
out=$1 cfg=$2
shift 2
dir=$(mktemp -d "${TMPDIR:-/tmp}/tessera-iso.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p "$dir/root/boot/grub"
cp "$cfg" "$dir/root/boot/grub/grub.cfg"
for file; do
	cp "$file" "$dir/root/boot/"
done
modules="multiboot multiboot2 normal configfile test serial terminal iso9660 biosdisk ${GRUB_MODULES:-}"
grub=$(command -v grub-mkrescue || command -v grub2-mkrescue) || {
	echo "mkiso.sh: no grub-mkrescue: install grub-common, grub-pc-bin, xorriso and mtools" >&2
	exit 1
}
platform=
for lib in /usr/lib/grub /usr/share/grub2 /usr/lib/grub2; do
	if [ -d "$lib/i386-pc" ]; then
		platform=$lib/i386-pc
		break
	fi
done
[ -n "$platform" ] || {
	echo "mkiso.sh: GRUB's i386-pc files are missing: install grub-pc-bin" >&2
	exit 1
}
if ! "$grub" -d "$platform" --install-modules="$modules" --locales= --themes= --fonts= --compress=no \
	-o "$dir/out.iso" "$dir/root" >"$dir/log" 2>&1 || [ ! -s "$dir/out.iso" ]; then
	cat "$dir/log" >&2
	echo "mkiso.sh: $grub failed" >&2
	exit 1
fi
mv "$dir/out.iso" "$out"
