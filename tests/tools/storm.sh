#!/usr/bin/env bash
# storm.sh BUILD MACHINE PAGING CASES SEED [FROM]: lets @storm attack the VMM and judges what is left of it. All along `ctl stats` answers, the VMM
# does not panic, nothing of its memory is touched, and in the end the machine, once more reset, shows the exact picture.
# Where the guest has done itself in so that neither its watchdog nor a crash brings it back, it is reset from outside; when it ended the
# run (a stray write to the exit port), it goes on behind that case. Exit status 1, and the words, when something is wrong.
# KIND: a number of the list in guest-tests/storm/main.c, for attacks of that kind alone.
set -u
export BUILD=$1 MACHINE=$2 PAGING=$3 CASES=$4 SEED=$5 FROM=${6:-0}
DIR=${DIR:-$(mktemp -d)}
STALL=6 # seconds without a new case
LIMIT=${LIMIT:-180}
END=$((FROM + CASES))
first=$FROM
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null' EXIT
mkdir -p "$DIR"
: >"$DIR/all.txt"
deadline=$((SECONDS + LIMIT))

# shellcheck source=tests/tools/pictures.bash
. "$(dirname "$0")/pictures.bash"

wrong() {
  echo "$MACHINE $PAGING seed=$SEED: $1; the last case was ${last:-none} (tests/tools/storm.sh $BUILD $MACHINE $PAGING $CASES $SEED $FROM; $DIR)"
  exit 1
}
text() { tr -cd '\12\40-\176' <"$DIR/out.txt"; }
ctl() { timeout 60 "$BUILD/tessera" ctl --control "$DIR/sock" "$@" >>"$DIR/ctl.txt" 2>&1; }
number() { grep -o "\"$1\":[0-9]*" "$DIR/stats.json" | tail -n 1 | cut -d: -f2; }

# Until the run ends: the VMM answers, and what stands still is reset.
attend() {
  local size=0 now still=0 missed=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    [ $SECONDS -lt $deadline ] || wrong "no end in $LIMIT s"
    [ -S "$DIR/sock" ] || continue
    if ctl --json stats; then missed=0; else missed=$((missed + 1)); fi
    kill -0 "$pid" 2>/dev/null || break
    [ $missed -lt 3 ] || wrong "ctl stats gets no answer"
    now=$(stat -c %s "$DIR/out.txt")
    if [ "$now" = "$size" ] && [ "$now" != 0 ]; then still=$((still + 1)); else still=0; fi
    size=$now
    [ $still -lt $STALL ] || { still=0 outside=$((outside + 1)); ctl reset; }
  done
}

outside=0 ends=0 quirk=
[ "$MACHINE" != bochs-svm ] || quirk=no-v86
while :; do
  rm -f "$DIR/sock"
  "$BUILD/tessera" run @storm --machine "$MACHINE" --paging "$PAGING" --memory 32 --view none --on-crash reset --vmm canary=yes --screenshot "$DIR/shots" \
    --control "$DIR/sock" --log "$DIR/vmm.log" --stats "$DIR/stats.json" --timeout "$LIMIT" -- "seed=$SEED" "from=$first" \
    "cases=$((END - first))" ${quirk:+"$quirk"} ${KIND:+"kind=$KIND"} >"$DIR/out.txt" 2>"$DIR/err.txt" </dev/null &
  pid=$!
  attend
  wait "$pid"
  status=$?
  pid=
  text >>"$DIR/all.txt"
  last=$(sed -n 's/^case \([0-9]*\) .*/\1/p' "$DIR/all.txt" | tail -n 1)
  grep -aq 'panic' "$DIR/vmm.log" "$DIR/err.txt" && wrong "the VMM panicked: $(grep -a -h -m 1 panic "$DIR/vmm.log" "$DIR/err.txt")"
  [ $status != 125 ] || wrong "the machine ended: $(tail -n 1 "$DIR/err.txt")"
  [ $status != 124 ] || wrong "no end in $LIMIT s"
  [ $status -lt 128 ] || wrong "tessera ended with status $status"
  grep -q '^PASS storm$' "$DIR/all.txt" && [ $status = 0 ] && break
  [ "${last:--1}" -ge "$first" ] || wrong "it ended with status $status before its first case"
  ends=$((ends + 1))
  first=$((last + 1))
done
[ "$(number wall_bytes)" -gt 10000000 ] 2>/dev/null || wrong "the canary was not looked at"
for what in wall_wrong_bytes wall_wrong_entries wall_wrong_images; do
  [ "$(number $what)" = 0 ] || wrong "$what: $(number $what) ($(grep -a -m 1 'wall:' "$DIR/vmm.log"))"
done
text >"$DIR/text.txt"
check_last_pictures "$DIR/shots" "$DIR/text.txt" >"$DIR/pictures.txt" || wrong "$(head -n 1 "$DIR/pictures.txt")"
echo "$MACHINE $PAGING: $CASES cases of seed $SEED, $(number crashes) crashes, $outside resets from outside, $ends ends by the guest;$(sed -n 's/^.* of seed [0-9]*,/ /p' "$DIR/text.txt")"
