#!/usr/bin/env bash
# failalloc.sh BUILD MACHINE PAGING STEP: the VMM's first allocation of memory for a guest fails, then the STEP-th behind it alone, and so on until a
# run has fewer. Each time the VMM must say so and live: either there is no guest, the host is told why and the exit status is 125, or the
# guest runs, to its end and through resets, and the VMM has no less memory then than without a failure. Exit status 1, and the words, if not.
set -u
BUILD=$1 MACHINE=$2 PAGING=$3 STEP=$4
DIR=${DIR:-$(mktemp -d)}
mkdir -p "$DIR"

wrong() {
  echo "$MACHINE $PAGING, allocation $n: $1 ($DIR)"
  exit 1
}
number() { grep -o "\"$1\":[0-9]*" "$DIR/stats.json" | tail -n 1 | cut -d: -f2; }

n=0 none=0 less=0 free=
while :; do
  rm -f "$DIR"/*
  timeout 100 "$BUILD/tessera" run @reset --machine "$MACHINE" --paging "$PAGING" --memory 16 --heads 64x48 --view none --timeout 90 \
    --log "$DIR/vmm.log" --stats "$DIR/stats.json" --vmm canary=yes ${free:+--vmm "failalloc=$n"} -- times=2 tell >"$DIR/out.txt" 2>"$DIR/err.txt" </dev/null
  status=$?
  cat "$DIR/vmm.log" "$DIR/err.txt" >"$DIR/said.txt" 2>/dev/null
  grep -aqi panic "$DIR/said.txt" && wrong "$(grep -ai -m 1 panic "$DIR/said.txt")"
  if [ -z "$free" ]; then # with all of its memory
    [ $status = 0 ] || wrong "exit status $status"
    free=$(sed -n 's/.* resets, \([0-9]*\) frames are free.*/\1/p' "$DIR/out.txt")
  elif ! grep -aq 'is refused, as was asked' "$DIR/said.txt"; then
    [ $status = 0 ] || wrong "none was refused, and the exit status is $status"
    break
  fi
  if [ $status = 125 ]; then
    grep -aqE 'no memory|could not be' "$DIR/err.txt" || wrong "the host was not told why: $(tail -n 1 "$DIR/err.txt")"
    none=$((none + 1))
  else
    [ $status = 0 ] || wrong "exit status $status: $(grep -a -m 1 FAIL "$DIR/out.txt") $(tail -n 1 "$DIR/err.txt")"
    for what in wall_wrong_bytes wall_wrong_entries wall_wrong_images; do
      [ "$(number $what)" = 0 ] || wrong "$what: $(number $what)"
    done
    now=$(sed -n 's/.* resets, \([0-9]*\) frames are free.*/\1/p' "$DIR/out.txt")
    [ "$now" -ge "$free" ] || wrong "$now frames are free in the end, not $free"
    less=$((less + 1))
  fi
  n=$((n == 0 ? 1 : n + STEP))
done
echo "$MACHINE $PAGING: allocations to $n: without $none there is no guest, without $less it runs"
