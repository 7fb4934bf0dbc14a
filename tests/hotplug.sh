# shellcheck shell=bash
# Heads that come and go: sourced by tests/run, behind tests/linux.sh.

# ctl_says DIR STATUS PATTERN COMMAND...: its status, and one line that matches.
ctl_says() {
  local dir=$1 want=$2 pattern=$3 status text
  shift 3
  text=$("$TESSERA" ctl --control "$dir/sock" "$@" 2>&1)
  status=$?
  [ $status = "$want" ] && [ "$(wc -l <<<"$text")" = 1 ] && grep -qE -- "$pattern" <<<"$text" && return
  echo "ctl $*: status $status, said: $text"
}

# Heads come and go under a guest that knows nothing of ACPI, and a reset leaves them as they are; what can't be is refused.
e2e_ctl_plug() {
  local dir=$OUT/e2e-ctl-plug pid
  mkdir -p "$dir"
  "$TESSERA" run @demo --machine qemu --heads 320x240,320x240 --view none --control "$dir/sock" --timeout 120 --log "$dir/vmm.log" \
    >"$dir/out.txt" 2>&1 </dev/null &
  pid=$!
  {
    "$TESSERA" wait --control "$dir/sock" --timeout 50 --text-log memory >>"$dir/out.txt" 2>&1 # it has its heads
    ctl_says "$dir" 0 'head=5 guest=does not listen' plug 5 400x300
    ctl_says "$dir" 1 'head 5 is there already' plug 5 400x300
    ctl_says "$dir" 1 'head 1 is there already' plug 1 400x300
    ctl_says "$dir" 1 'number of a head, 0 to 15' plug 16 400x300
    ctl_says "$dir" 1 'number of a head, 0 to 15' plug x 400x300
    ctl_says "$dir" 1 'number of a head, 0 to 15' unplug
    ctl_says "$dir" 1 'size like 1024x768' plug 6
    ctl_says "$dir" 1 'size like 1024x768' plug 6 0x0
    ctl_says "$dir" 1 'size like 1024x768' plug 6 9999x10
    ctl_says "$dir" 1 'at most 16 MiB' plug 6 4096x4096
    ctl_says "$dir" 1 'size like 1024x768' plug 6 640x480x32
    ctl_says "$dir" 1 'there is no head 6' unplug 6
    ctl_says "$dir" 1 'there is no head 6' resize 6 640x480
    ctl_says "$dir" 1 'expected nothing or' unplug 5 please
    ctl_says "$dir" 1 'too little for 2048x1024' resize 1 2048x1024
    ctl_says "$dir" 0 'head=1 guest=does not listen' resize 1 200x100
    ctl_says "$dir" 0 'head=0 guest=does not listen' unplug 0
    ctl_says "$dir" 1 'there is no head 0' unplug 0 force
    ctl_says "$dir" 0 '^head=1 size=320x240 ' heads # goes on in its mode
    ctl_says "$dir" 1 'does not listen to its power button' power-button
    ctl_says "$dir" 0 'done' reset
    for _ in $(seq 50); do
      "$TESSERA" ctl --control "$dir/sock" heads 2>/dev/null | cut -d' ' -f1,2 | xargs >"$dir/heads.txt"
      grep -qx 'head=1 size=200x100 head=5 size=400x300' "$dir/heads.txt" && break
      sleep 0.2
    done
    grep -qx 'head=1 size=200x100 head=5 size=400x300' "$dir/heads.txt" || echo "after a reset: $(cat "$dir/heads.txt")"
    ctl_says "$dir" 0 'ending' quit
  } >"$dir/why.txt" 2>&1
  wait $pid
  result e2e-ctl-plug "$([ ! -s "$dir/why.txt" ]; echo $?)" "$(head -n 1 "$dir/why.txt") (see $dir/)"
}

# await SECONDS FILE PATTERN PID: until a line matches, as long as that process lives.
await() {
  local until=$((SECONDS + $1))
  until grep -q -- "$3" "$2"; do
    { [ $SECONDS -lt $until ] && kill -0 "$4" 2>/dev/null; } || { grep -q -- "$3" "$2"; return; }
    sleep 0.1
  done
}

# same_heads DIR N SECONDS PID: what the far end shows becomes what the guest said before its N-th "checked".
same_heads() {
  local until=$((SECONDS + $3))
  tr -d '\r' <"$1/out.txt" | awk -v n="$2" '
    /^checked / { if ($2 == n) exit; buf = "" }
    /^screen head=/ { buf = buf $2 " " $3 " " $4 "\n" }
    END { printf "%s", buf }' | sort >"$1/wanted.txt"
  until "$TESSERA" ctl --control "$1/sock" heads 2>&1 | sort >"$1/seen.txt" && cmp -s "$1/wanted.txt" "$1/seen.txt"; do
    { [ $SECONDS -lt $until ] && kill -0 "$4" 2>/dev/null; } || return 1
    sleep 0.1
  done
}

# While Linux draws on all heads: head 2 goes, head 1 gets another size, head 2 comes back elsewhere in another one. After each step every
# picture is what the guest read back from its VRAM, and the heads and sizes are those asked for.
hotplug_test() { # LABEL MACHINE ROUNDS OPTIONS...
  local label=$1 machine=$2 rounds=$3 dir=$OUT/$1 why='' limit total pid n=0 step round go
  local sizes1=(400x300 320x240 640x480 360x200) sizes2=(320x200 512x384 400x300 256x192 1024x600)
  local size1=320x240 size2=400x300 command mask heads
  shift 3
  have_linux "$label" || return
  mkdir -p "$dir"
  mkfifo "$dir/in"
  trap '' PIPE
  limit=$(patience "$machine")
  total=$((limit * (2 + rounds / 2)))
  timeout $((total + 10)) "$TESSERA" run "$BUILD/linux/vmlinuz" --initrd "$BUILD/linux/initrd" --machine "$machine" --memory 512 \
    --timeout "$total" --view none --heads "320x240,$size1,$size2,512x384" --control "$dir/sock" --log "$dir/vmm.log" \
    --stats "$dir/stats.json" "$@" -- console=ttyS0,115200 no_timer_check quiet tessera=hotplug >"$dir/out.txt" 2>"$dir/err.txt" <"$dir/in" &
  pid=$!
  exec {go}>"$dir/in"
  await "$limit" "$dir/out.txt" '^ready' $pid || why="Linux is not ready"
  for round in $(seq 0 "$rounds"); do
    for step in unplug resize plug; do
      [ -z "$why" ] || break 2
      if [ "$round" = 0 ]; then # as it boots
        command='' mask=O heads='0 1 2 3'
        [ $step = plug ] || continue
      elif [ $step = unplug ]; then
        command='unplug 2' mask=K heads='0 1 3'
      elif [ $step = resize ]; then
        size1=${sizes1[round % 4]}
        command="resize 1 $size1" mask=K heads='0 1 3'
      else
        size2=${sizes2[round % 5]}
        command="plug 2 $size2" mask=O heads='0 1 2 3'
      fi
      # shellcheck disable=SC2086 # a command's words
      [ -z "$command" ] || "$TESSERA" ctl --control "$dir/sock" $command >>"$dir/ctl.txt" 2>&1 || why="round $round: ctl $command"
      n=$((n + 1))
      printf %s $mask >&"$go"
      await "$limit" "$dir/out.txt" "^checked $n" $pid || why=${why:-"round $round, $step: the guest does not answer"}
      same_heads "$dir" $n "$limit" $pid || why=${why:-"round $round, $step: other pictures: $(diff "$dir/wanted.txt" "$dir/seen.txt" | tr '\n' ' ')"}
      [ "$(sed 's/^head=\([0-9]*\) .*/\1/' "$dir/seen.txt" | xargs)" = "$heads" ] || why=${why:-"round $round, $step: other heads"}
      grep -q "^head=1 size=$size1 " "$dir/seen.txt" || why=${why:-"round $round, $step: head 1 is not $size1"}
      [ $mask = K ] || grep -q "^head=2 size=$size2 " "$dir/seen.txt" || why=${why:-"round $round, $step: head 2 is not $size2"}
      printf g >&"$go"
    done
  done
  printf q >&"$go"
  await "$limit" "$dir/out.txt" '^init: end' $pid || why=${why:-"init does not end"}
  exec {go}>&-
  wait $pid || why=${why:-"exit status"}
  grep -m 1 '^FAIL' "$dir/out.txt" >"$dir/fail.txt" && why=${why:-$(cat "$dir/fail.txt")}
  other_warnings "$dir/out.txt" >"$dir/warnings.txt"
  [ ! -s "$dir/warnings.txt" ] || why=${why:-"Linux warns: $(cat "$dir/warnings.txt")"}
  result "$label" "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

ROUNDS=${ROUNDS:-50}
e2e_linux_hotplug() { hotplug_test e2e-linux-hotplug qemu 3; }
linux_hotplug_qemu_hap() { hotplug_test linux-hotplug-qemu-hap qemu "$ROUNDS"; }
linux_hotplug_qemu_shadow() { hotplug_test linux-hotplug-qemu-shadow qemu "$ROUNDS" --paging shadow; }
linux_hotplug_bochs_hap() { hotplug_test linux-hotplug-bochs-hap bochs "$ROUNDS"; }
linux_hotplug_bochs_shadow() { hotplug_test linux-hotplug-bochs-shadow bochs "$ROUNDS" --paging shadow; }
linux_hotplug_bochs_svm_hap() { no_interrupts linux-hotplug-bochs-svm-hap; }
linux_hotplug_bochs_svm_shadow() { hotplug_test linux-hotplug-bochs-svm-shadow bochs-svm "$ROUNDS" --paging shadow; }
