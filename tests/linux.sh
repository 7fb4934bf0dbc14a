# shellcheck shell=bash
# Debian's Linux as a guest: sourced by tests/run. Functions e2e_linux_* belong to `make test`, linux_* to `make test-linux`.

# have_linux LABEL: Debian's kernel was fetched; else the test is skipped.
have_linux() {
  [ -e "$BUILD/linux/vmlinuz" ] && [ -e "$BUILD/linux/initrd" ] && return
  echo "SKIP $1: Debian's kernel could not be fetched (make linux-files says why)"
  echo "0 0 1" >"$OUT/results/$1"
  return 1
}

# no_timer_check: Linux counts ticks in a stretch of the TSC, which fails where the host runs something else in between; it leaves that
# out by itself on hypervisors that it knows.

# patience MACHINE: seconds that Linux may take there to come to a point; Bochs takes minutes to boot it.
patience() { case $1 in bochs*) echo 3000 ;; *) echo 170 ;; esac; }

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
  result "$label" "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

e2e_linux_hap() { draw_test e2e-linux-hap qemu; }
e2e_linux_shadow() { draw_test e2e-linux-shadow qemu --paging shadow; }
linux_draw_bochs_hap() { draw_test linux-draw-bochs-hap bochs; }
linux_draw_bochs_shadow() { draw_test linux-draw-bochs-shadow bochs --paging shadow; }
linux_draw_bochs_svm_hap() { draw_test linux-draw-bochs-svm-hap bochs-svm; }
linux_draw_bochs_svm_shadow() { draw_test linux-draw-bochs-svm-shadow bochs-svm --paging shadow; }

# counter FILE NAME: the VMM's counter of that name in what `ctl --json stats` told.
counter() { sed -n "s/.*\"vmm\":.*\"$2\":\([0-9]*\).*/\1/p" "$1"; }

# Linux at its prompts, with four heads and without the console's blinking cursor: the VMM is left alone, and so is the line.
idle_test() { # LABEL OPTIONS...
  local label=$1 dir=$OUT/$1 why='' pid ns exits shown last='' _
  shift
  have_linux "$label" || return
  mkdir -p "$dir"
  "$TESSERA" run "$BUILD/linux/vmlinuz" --initrd "$BUILD/linux/initrd" --machine qemu --memory 512 --timeout 240 --view none \
    --heads 1024x768,800x600,640x480,1280x720 --control "$dir/sock" --log "$dir/vmm.log" "$@" \
    -- console=tty0 console=ttyS0,115200 quiet vt.global_cursor_default=0 >"$dir/out.txt" 2>"$dir/err.txt" </dev/null &
  pid=$!
  for _ in $(seq 170); do grep -q 'this is COM1' "$dir/out.txt" && break; sleep 1; done
  for _ in $(seq 20); do # until all is drawn and sent
    sleep 3
    "$TESSERA" ctl --control "$dir/sock" --json stats >"$dir/before.json" 2>>"$dir/err.txt"
    [ "$(counter "$dir/before.json" display)" != "$last" ] || break
    last=$(counter "$dir/before.json" display)
  done
  sleep 10
  "$TESSERA" ctl --control "$dir/sock" --json stats >"$dir/after.json" 2>>"$dir/err.txt" || why="ctl stats"
  "$TESSERA" ctl --control "$dir/sock" quit >>"$dir/err.txt" 2>&1 || why="ctl quit"
  wait $pid
  if [ -z "$why" ]; then
    ns=$(($(counter "$dir/after.json" guest_ns) - $(counter "$dir/before.json" guest_ns)))
    exits=$((($(counter "$dir/after.json" total) - $(counter "$dir/before.json" total)) * 1000000 / (ns / 1000)))
    shown=$(($(counter "$dir/after.json" display) - $(counter "$dir/before.json" display)))
    echo "$exits exits a second, $shown bytes of pictures in $((ns / 1000000)) ms" >"$dir/idle.txt"
    [ "$exits" -lt 300 ] && [ "$shown" = 0 ] || why=$(cat "$dir/idle.txt")
  fi
  result "$label" "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

e2e_linux_idle() { idle_test e2e-linux-idle; }
linux_idle_shadow() { idle_test linux-idle-shadow --paging shadow; }
