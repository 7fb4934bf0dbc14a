#!/bin/sh
# cd.sh OUT.iso LINUX BUILD [WORD]...: a CD with what the tests need in Linux: QEMU with its libraries and ROMs, the tests' script and its shell, and
# what `make` built. It boots LINUX/vmlinuz with LINUX/initrd through GRUB, for machines that load no kernel by themselves.
# The words go onto the kernel's command line.
set -eu
out=$1 linux=$2 build=$3
shift 3
platform=/usr/lib/grub/i386-pc
modules="linux normal configfile iso9660 biosdisk"
dir=$(mktemp -d "${TMPDIR:-/tmp}/tessera-cd.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
root=$dir/cd
mkdir -p "$root/boot/grub" "$root/build/guest" "$root/build/tests" "$root/tests" "$root/usr/share/qemu"

qemu=$(command -v qemu-system-x86_64)
install -D "$qemu" "$root/usr/bin/qemu-system-x86_64"
install "$(command -v bash)" "$root/usr/bin/bash"
for program in "$qemu" "$root/usr/bin/bash" "$build/tessera" "$build/tests/pngcrc"; do
  ldd "$program" | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*/\1/p'
done | sort -u | while read -r library; do
  install -D "$library" "$root$library"
done
for rom in bios-256k.bin kvmvapic.bin linuxboot_dma.bin multiboot.bin multiboot_dma.bin; do
  for from in /usr/share/qemu /usr/share/seabios; do
    [ ! -e "$from/$rom" ] || cp -L "$from/$rom" "$root/usr/share/qemu/"
  done
done

cp "$build/tessera" "$build/tessera.elf" "$build/tessera.iso" "$root/build/"
cp "$build"/guest/*.elf "$build"/guest/*.bin "$build/guest/table.txt" "$root/build/guest/"
cp "$build/tests/pngcrc" "$root/build/tests/"
mkdir "$root/tests/tools"
cp tests/run tests/*.sh tests/nested/inside "$root/tests/"
cp tests/tools/*.bash "$root/tests/tools/"

cp "$linux/vmlinuz" "$linux/initrd" "$root/boot/"
cat >"$root/boot/grub/grub.cfg" <<END
set timeout=0
menuentry Linux {
	linux /boot/vmlinuz $(cat tests/nested/cmdline)$([ $# = 0 ] || printf " '%s'" "$@")
	initrd /boot/initrd
	boot
}
END
if ! grub-mkrescue -d "$platform" --install-modules="$modules" --locales= --themes= --fonts= --compress=no \
  -o "$dir/out.iso" "$root" >"$dir/log" 2>&1 || [ ! -s "$dir/out.iso" ]; then
  cat "$dir/log" >&2
  exit 1
fi
mv "$dir/out.iso" "$out"
