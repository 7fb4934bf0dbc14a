# shellcheck shell=bash disable=SC2153 # BUILD, OUT, TESSERA and the functions used are tests/run's
# What it costs a guest that somebody looks. @watched runs twice in Bochs, whose time counts instructions, on a line of 115,200 baud: once
# with the line going to a file, then with a viewer. It tells how many rounds of four instructions it counted and how many exits it made, in
# its own time (the TSC); exits for the machine's interrupts are not of its making. Sourced by tests/run. About 15 s of CPU.
#  - While it has time to spare (it paints, computes and makes fifty exits a hundred times a second, and waits for the rest), rounds and exits
#    a second are the same to within 2 %: coding is done while it waits, and no tick is lost.
#  - While it has none, what the encoder takes is its own loss: the share at most, and for the line's interrupts and the looks at the dirty
#    pages 8 % more. With a share of a quarter, and with one of 2 %.

# shellcheck source=tests/tools/bochs.bash
. tests/tools/bochs.bash

# unwatched DIR: the run that nobody looks at; what the guest says is plain text on the line.
unwatched() {
  local dir=$1
  cat >"$dir/grub.cfg" <<'CFG'
set timeout=0
menuentry Tessera {
	multiboot2 /boot/tessera.elf heads=320x240
	module2 /boot/watched.elf
	boot
}
CFG
  sh boot/mkiso.sh "$dir/watched.iso" "$dir/grub.cfg" "$BUILD/tessera.elf" "$BUILD/guest/watched.elf" || return 1
  bochsrc corei7_skylake_x "$dir/watched.iso" "$dir" 50000000 >"$dir/bochsrc" # as fast as tessera run's
  echo c >"$dir/bochs.rc"
  timeout 120 bochs-bin -q -f "$dir/bochsrc" -rc "$dir/bochs.rc" >"$dir/bochs.txt" 2>&1 </dev/null
  grep -q '^PASS watched' "$dir/console.txt"
}

# watched_rate FILE WHAT FIELD: so many in 100,000,000 ticks of the TSC.
watched_rate() { tr -d '\r' <"$1" | awk -v what="$2" -v field="$3" '$1 == what { split($field, v, "="); printf "%d\n", v[2] * 100000000 / $5 }'; }

# within A B LEAST MOST: B is from LEAST to MOST thousandths of A.
within() { [ "${1:-0}" -gt 0 ] && [ "${2:-0}" -gt 0 ] && [ $(($2 * 1000)) -ge $(($1 * $3)) ] && [ $(($2 * 1000)) -le $(($1 * $4)) ]; }

e2e_watched() {
  local dir=$OUT/e2e-watched why='' share field a b
  mkdir -p "$dir"
  unwatched "$dir" || why="without a viewer it does not end"
  for share in 25 2; do
    timeout 150 "$TESSERA" run @watched --machine bochs --baud 115200 --encode-share $share --view none --screenshot "$dir" --timeout 140 \
      --stats "$dir/stats-$share.json" >"$dir/out-$share.txt" 2>"$dir/err.txt" </dev/null || why=${why:-"exit status"}
    check_pictures "$dir" "$dir/out-$share.txt" >"$dir/pictures.txt" || why=${why:-$(head -n 1 "$dir/pictures.txt")}
    a=$(json_number "$dir/stats-$share.json" encode_taken_permille)
    [ "${a:-1000}" -gt 0 ] && [ "${a:-1000}" -le $((share * 10 + 10)) ] || why=${why:-"share $share: encoding took ${a:-none} thousandths"}
    for field in 2 3; do # rounds, exits
      a=$(watched_rate "$dir/console.txt" spare $field) b=$(watched_rate "$dir/out-$share.txt" spare $field)
      echo "share $share, spare, field $field: ${a:-none} without a viewer, ${b:-none} with one"
      within "$a" "$b" 980 1020 || why=${why:-"with time to spare: ${b:-none} in 100 million ticks, ${a:-none} without a viewer"}
    done
    a=$(watched_rate "$dir/console.txt" busy 2) b=$(watched_rate "$dir/out-$share.txt" busy 2)
    echo "share $share, busy: ${a:-none} rounds without a viewer, ${b:-none} with one"
    within "$a" "$b" $((920 - share * 10)) 1020 || why=${why:-"without time to spare, share $share: ${b:-none} rounds, ${a:-none} without a viewer"}
  done >"$dir/figures.txt"
  result e2e-watched "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}
