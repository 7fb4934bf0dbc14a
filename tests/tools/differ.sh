#!/usr/bin/env bash
# differ.sh BUILD MACHINE CASES SEED: runs the random programs of @differ on the machine under nested paging, under shadow paging, and (QEMU)
# on the bare emulator, and compares what came of each. A difference is narrowed to the case and to the fewest instructions that show
# it. Exit status 1, and the words, when there is one.
set -u
BUILD=$1 MACHINE=$2 CASES=$3 SEED=$4
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
WAYS="hap shadow"
[ "$MACHINE" != qemu ] || WAYS="$WAYS bare"

# run WAY ARGUMENTS...: what the guest says of its cases, in $DIR/WAY.
run() {
  local way=$1
  shift
  if [ "$way" = bare ]; then
    timeout 500 qemu-system-x86_64 -nodefaults -no-reboot -display none -m 256 -cpu max -serial stdio \
      -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$BUILD/guest/differ.elf" -append "$*" 2>"$DIR/err" </dev/null
  else
    "$BUILD/tessera" run @differ --machine "$MACHINE" --paging "$way" --heads none --view none --timeout 500 -- "$@" 2>"$DIR/err" \
      </dev/null
  fi | tr -d '\r' >"$DIR/$way"
  grep -q '^PASS' "$DIR/$way" && return
  echo "$MACHINE $way: no end of the run ($*): $(tail -n 1 "$DIR/$way") $(tail -n 3 "$DIR/err")"
  exit 1
}

# differing ARGUMENTS...: runs all ways; the first word of the first line that is not the same everywhere, if any, is in $found.
differing() {
  local way
  found=
  for way in $WAYS; do
    run "$way" "$@"
    [ "$way" = hap ] || cmp -s "$DIR/hap" "$DIR/$way" || found=$(diff "$DIR/hap" "$DIR/$way" | sed -n 's/^< //p' | head -n 1)
  done
}

differing "seed=$SEED" "cases=$CASES"
if [ -z "$found" ]; then
  echo "$MACHINE: $CASES cases of seed $SEED, $WAYS: no difference"
  exit 0
fi
last=$(sed -n 's/^cases to \([0-9]*\):.*/\1/p' <<<"$found")
first=$((${last:-$CASES} - 19))
differing "seed=$SEED" "from=$first" cases=20 each
n=$(sed -n 's/^case \([0-9]*\) .*/\1/p' <<<"$found")
if [ -z "$n" ]; then
  echo "$MACHINE: seed $SEED differs in the cases from $first on, but not when they run alone"
  exit 1
fi
most=1
while differing "seed=$SEED" "from=$n" cases=1 "most=$most" each && [ -z "$found" ] && [ "$most" -lt 40 ]; do most=$((most + 1)); done
differing "seed=$SEED" "from=$n" cases=1 "most=$most" show
echo "$MACHINE: case $n of seed $SEED differs, with $most instructions (tessera run @differ --machine $MACHINE -- seed=$SEED from=$n cases=1 most=$most show):"
for way in $WAYS; do
  sed "s/^/  $way: /" "$DIR/$way"
done
exit 1
