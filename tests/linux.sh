# shellcheck shell=bash disable=SC2154 # x_pid is start_x's
# Debian's Linux as a guest: sourced by tests/run. Functions e2e_linux_* belong to `make test`, linux_* to `make test-linux`.

# have_linux LABEL: Debian's kernel was fetched; else the test is skipped.
have_linux() {
  [ -e "$BUILD/linux/vmlinuz" ] && [ -e "$BUILD/linux/initrd" ] && return
  echo "SKIP $1: Debian's kernel could not be fetched (make linux-files says why)"
  echo "0 0 1" >"$OUT/results/$1"
  return 1
}

# no_timer_check: Linux wants to see five ticks within a stretch of the TSC (61 ms on a fast host). Ticks that are late are caught up, but a
# host that stops the whole machine for longer hides them; Linux leaves the check out by itself on hypervisors that it knows. The tests
# e2e-linux-type and e2e-linux-idle do without.

# patience MACHINE: seconds that Linux may take there to come to a point; Bochs takes minutes to boot it.
patience() { case $1 in bochs*) echo 3000 ;; *) echo 170 ;; esac; }

# What Linux warns of where the machine is not at fault: an extended regular expression and, behind #, why.
expected_warnings() {
  sed 's/ *#.*//' <<'EOF'
tsc: Unable to calibrate against PIT # it wants 1000 readings of a port in 10 ms, none ten times slower than another; bare QEMU is told so too
Speculative Return Stack Overflow: (IBPB-extending microcode not applied|WARNING: See https) # Bochs' Ryzen has no such microcode
RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable # Bochs' Skylake has no IBRS
Long readout interval, .* cs_nsec: ([0-9]+)[0-9]{7} wd_nsec: \1[0-9]{7}$ # the host kept the CPU from QEMU; TSC and HPET agree how long
EOF
}

# other_warnings FILE: the first warning or error that Linux had in the end and that is not expected, or that it told of none at all.
other_warnings() {
  tr -d '\r' <"$1" | grep -q '^init: end' || echo "Linux does not tell its warnings"
  tr -d '\r' <"$1" | sed -n '/^init: the program/,/^init: end/p' | grep -E '^<[0-4]>' | grep -vE -f <(expected_warnings) | head -n 1
}

# no_interrupts LABEL: Bochs 2.7 holds back the machine's interrupts while an SVM guest runs with IF 0 (vmm/svm_entry.asm). Linux decompresses
# itself so, for two minutes without an exit under NPT, and the line is dead meanwhile; under shadow paging it faults often enough.
no_interrupts() {
  echo "SKIP $1: Bochs 2.7 gives the VMM no interrupts while Linux decompresses itself"
  echo "0 0 1" >"$OUT/results/$1"
}

# Debian's kernel and its own driver, on four heads of different sizes: each picture is what the guest read back from its VRAM.
draw_test() { # LABEL MACHINE OPTIONS...
  local label=$1 machine=$2 dir=$OUT/$1 why='' limit
  shift 2
  have_linux "$label" || return
  mkdir -p "$dir"
  limit=$(patience "$machine")
  timeout $((limit + 30)) "$TESSERA" run "$BUILD/linux/vmlinuz" --initrd "$BUILD/linux/initrd" --machine "$machine" --memory 512 \
    --timeout "$limit" --view none --heads 1024x768,800x600,640x480,1280x720 --screenshot "$dir" --log "$dir/vmm.log" \
    --stats "$dir/stats.json" "$@" -- console=ttyS0,115200 no_timer_check quiet tessera=draw >"$dir/out.txt" 2>"$dir/err.txt" </dev/null ||
    why="exit status"
  [ "$(grep -c '^screen head=' "$dir/out.txt")" = 4 ] || why="not four pictures"
  check_last_pictures "$dir" "$dir/out.txt" >"$dir/pictures.txt" || why=$(head -n 1 "$dir/pictures.txt")
  other_warnings "$dir/out.txt" >"$dir/warnings.txt"
  [ ! -s "$dir/warnings.txt" ] || why=${why:-"Linux warns: $(head -n 1 "$dir/warnings.txt")"}
  result "$label" "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

e2e_linux_hap() { draw_test e2e-linux-hap qemu; }
e2e_linux_shadow() { draw_test e2e-linux-shadow qemu --paging shadow; }
linux_draw_bochs_hap() { draw_test linux-draw-bochs-hap bochs; }
linux_draw_bochs_shadow() { draw_test linux-draw-bochs-shadow bochs --paging shadow; }
linux_draw_bochs_svm_hap() { no_interrupts linux-draw-bochs-svm-hap; }
linux_draw_bochs_svm_shadow() { draw_test linux-draw-bochs-svm-shadow bochs-svm --paging shadow; }

# seen DIR HEAD TEXT: it stands on that head's console, and the far end shows what the guest read back from its framebuffer.
seen() {
  local crc
  await 60 "$1/out.txt" "screen head=$2 " "$pid" || { echo "head $2: the guest does not look"; return; }
  grep -q "console $2: $3" "$1/out.txt" || echo "head $2: what was typed is not on its console"
  for _ in $(seq 40); do
    crc=$(tr -d '\r' <"$1/out.txt" | sed -n "s/.*screen head=$2 .*crc=//p" | tail -n 1) # the guest looks again when it has changed
    [ "$(head_crc "$1" "$2")" = "$crc" ] && return
    sleep 0.5
  done
  echo "head $2: another picture than the guest's"
}

# What is typed is carried out by the shell on the console in front, and is seen on the head where that is: by `ctl type` on head 0; by a VNC
# viewer, which changes to the second console, on head 1, and nothing on head 0.
# shellcheck disable=SC2016 # the guest's shell computes it
e2e_linux_type() (
  dir=$OUT/e2e-linux-type window=''
  ctl() { "$TESSERA" ctl --control "$dir/sock" "$@" >>"$dir/ctl.txt"; }
  have_linux e2e-linux-type || return
  mkdir -p "$dir"
  start_x "$dir" || echo "no X server" >"$dir/why.txt"
  "$TESSERA" run "$BUILD/linux/vmlinuz" --initrd "$BUILD/linux/initrd" --machine qemu --memory 512 --timeout 180 --view vnc \
    --heads 640x480,800x600 --control "$dir/sock" --log "$dir/vmm.log" \
    -- console=tty0 console=ttyS0,115200 fbcon=map:01 vt.global_cursor_default=0 quiet >"$dir/out.txt" 2>"$dir/err.txt" </dev/null &
  pid=$!
  {
    await 170 "$dir/out.txt" 'this is COM1' "$pid" || echo "Linux is not there"
    sleep 2 # the shells begin
    { ctl type 'echo Typed-' && ctl key hold shift && ctl type ctl- && ctl key release shift && ctl type '$((6*7)); /look 0 &\n'; } ||
      echo "ctl"
    seen "$dir" 0 Typed-CTL_42
    before=$(head_crc "$dir" 0)
    at=$(sed -n 's/^tessera: head 1: vncviewer //p' "$dir/err.txt") # ADDRESS:PORT
    timeout 100 xtigervncviewer -geometry 800x600+0+0 -RemoteResize=0 -DotWhenNoCursor=0 -MenuKey= -ReconnectOnError=0 \
      "${at%:*}::${at##*:}" >"$dir/viewer.txt" 2>&1 &
    viewer=$!
    window=$(timeout 30 xdotool search --sync --onlyvisible --name TigerVNC | head -n 1)
    { xdotool windowfocus --sync "$window" && xdotool key alt+F2 && xdotool type 'echo Typed-vnc-$((6*7)); /look 1 &' &&
      xdotool key Return; } || echo "no viewer's window"
    seen "$dir" 1 Typed-vnc-42
    window_shows "$window" "$dir/viewer.png" "$(head_crc "$dir" 1)" || echo "the viewer's picture of head 1"
    [ "$(head_crc "$dir" 0)" = "$before" ] || echo "head 0 changed"
    { ctl key ctrl alt delete && ctl quit; } || echo "ctl"
    kill "$viewer" "$x_pid"
  } >>"$dir/why.txt" 2>"$dir/more.txt"
  wait $pid
  result e2e-linux-type "$([ ! -s "$dir/why.txt" ]; echo $?)" "$(head -n 1 "$dir/why.txt") (see $dir/)"
)

# Linux gets to its shell on COM1, which carries out what is typed there.
shell_test() { # LABEL MACHINE OPTIONS...
  local label=$1 machine=$2 dir=$OUT/$1 why='' limit pid go
  shift 2
  have_linux "$label" || return
  mkdir -p "$dir"
  mkfifo "$dir/in"
  trap '' PIPE
  limit=$(patience "$machine")
  timeout $((limit + 60)) "$TESSERA" run "$BUILD/linux/vmlinuz" --initrd "$BUILD/linux/initrd" --machine "$machine" --memory 512 \
    --timeout $((limit + 30)) --view none --heads 4 --control "$dir/sock" --log "$dir/vmm.log" "$@" \
    -- console=tty0 console=ttyS0,115200 no_timer_check quiet >"$dir/out.txt" 2>"$dir/err.txt" <"$dir/in" &
  pid=$!
  exec {go}>"$dir/in"
  await "$limit" "$dir/out.txt" "this is COM1" $pid || why="no shell"
  # shellcheck disable=SC2016 # the guest's shell computes it
  echo 'echo Heads-$(ls /sys/class/drm | grep -c "^card[0-9]*$") Shell-$((6*7))' >&"$go"
  await "$limit" "$dir/out.txt" "Heads-4 Shell-42" $pid || why=${why:-"no answer of the shell, or not four cards"}
  "$TESSERA" ctl --control "$dir/sock" quit >>"$dir/err.txt" 2>&1 || why=${why:-"ctl quit"}
  exec {go}>&-
  wait $pid
  result "$label" "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}
linux_shell_qemu_hap() { shell_test linux-shell-qemu-hap qemu; }
linux_shell_qemu_shadow() { shell_test linux-shell-qemu-shadow qemu --paging shadow; }
linux_shell_bochs_hap() { shell_test linux-shell-bochs-hap bochs; }
linux_shell_bochs_shadow() { shell_test linux-shell-bochs-shadow bochs --paging shadow; }

# counter FILE NAME: the VMM's counter of that name in what `ctl --json stats` told.
counter() { sed -n "s/.*\"vmm\":.*\"$2\":\([0-9]*\).*/\1/p" "$1"; }

# Linux at its prompts, with four heads and without the console's blinking cursor: the VMM is left alone, and so is the line. With the HPET
# as its clock (tsc=unstable): Linux 6.1 stops its tick of 250 Hz, 3 exits each, only once it trusts its clock, and it trusts the TSC only
# where reads of the HPET take less than some 30 us. Under QEMU an exit alone takes 14 us on a fast host, so on a slow one it may never.
idle_test() { # LABEL OPTIONS...
  local label=$1 dir=$OUT/$1 why='' pid ns exits shown last='' _
  shift
  have_linux "$label" || return
  mkdir -p "$dir"
  "$TESSERA" run "$BUILD/linux/vmlinuz" --initrd "$BUILD/linux/initrd" --machine qemu --memory 512 --timeout 240 --view none \
    --heads 1024x768,800x600,640x480,1280x720 --control "$dir/sock" --log "$dir/vmm.log" "$@" \
    -- console=tty0 console=ttyS0,115200 quiet vt.global_cursor_default=0 tsc=unstable >"$dir/out.txt" 2>"$dir/err.txt" </dev/null &
  pid=$!
  await 170 "$dir/out.txt" 'this is COM1' "$pid" || why="no shell"
  for _ in $(seq 20); do # until all is drawn and sent
    sleep 3
    "$TESSERA" ctl --control "$dir/sock" --json stats >"$dir/before.json" 2>>"$dir/err.txt"
    [ "$(counter "$dir/before.json" display)" != "$last" ] || break
    last=$(counter "$dir/before.json" display)
  done
  sleep 10
  "$TESSERA" ctl --control "$dir/sock" --json stats >"$dir/after.json" 2>>"$dir/err.txt" || why=${why:-"ctl stats"}
  "$TESSERA" ctl --control "$dir/sock" quit >>"$dir/err.txt" 2>&1 || why=${why:-"ctl quit"}
  wait $pid
  if [ -z "$why" ]; then
    ns=$(($(counter "$dir/after.json" guest_ns) - $(counter "$dir/before.json" guest_ns)))
    exits=$((($(counter "$dir/after.json" total) - $(counter "$dir/before.json" total)) * 1000000 / (ns / 1000)))
    shown=$(($(counter "$dir/after.json" display) - $(counter "$dir/before.json" display)))
    echo "$exits exits a second, $shown bytes of pictures in $((ns / 1000000)) ms" >"$dir/idle.txt"
    [ "$exits" -lt 300 ] && [ "$shown" = 0 ] ||
      why="$(cat "$dir/idle.txt"); $(sed -n 's/.*"exits":{\([^}]*\).*/\1;/p' "$dir/before.json" "$dir/after.json" | tr '\n' ' ')"
  fi
  result "$label" "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

e2e_linux_idle() { idle_test e2e-linux-idle; }
linux_idle_shadow() { idle_test linux-idle-shadow --paging shadow; }
