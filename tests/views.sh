# shellcheck shell=bash disable=SC2153,SC2030,SC2031 # BUILD, OUT, TESSERA and the functions used are tests/run's; subshells are meant
# End to end tests of the ways to look at a run: recordings, lines, the web page, VNC, the window; and of what is installed. Sourced by
# tests/run.

# picture_crc FILE: of a PNG, as guests print it.
picture_crc() { "$BUILD/tests/pngcrc" "$1" 2>&1 | sed 's/.*crc=//'; }

# A recording plays the same pictures and text again, a picture and a video come out of it, and one that is cut off says so.
e2e_record() {
  local dir=$OUT/e2e-record why='' head seconds psnr
  mkdir -p "$dir"
  timeout 100 "$TESSERA" run @demo --machine qemu --heads 3 --view none --record "$dir/demo.rec" --screenshot "$dir/run" --timeout 90 \
    -- once >"$dir/run.txt" 2>"$dir/err.txt" </dev/null || why="exit status"
  timeout 60 "$TESSERA" replay "$dir/demo.rec" --speed max --view none --screenshot "$dir/replay" \
    >"$dir/replay.txt" 2>>"$dir/err.txt" </dev/null || why="exit status of replay"
  cmp "$dir/run.txt" "$dir/replay.txt" >>"$dir/err.txt" 2>&1 || why="the guest's text"
  for head in 0 1 2; do
    cmp "$dir/run/head$head.png" "$dir/replay/head$head.png" >>"$dir/err.txt" 2>&1 || why="picture of head $head"
  done
  "$TESSERA" export "$dir/demo.rec" "$dir/one.png" --head 2 2>>"$dir/err.txt" || why="exit status of export"
  [ "$(picture_crc "$dir/one.png")" = "$(picture_crc "$dir/run/head2.png")" ] || why="the exported picture"
  "$TESSERA" export "$dir/demo.rec" "$dir/all.png" 2>>"$dir/err.txt" || why="exit status of export"
  timeout 100 "$TESSERA" export "$dir/demo.rec" "$dir/all.mp4" --fps 5 2>>"$dir/err.txt" || why="exit status of export to video"
  seconds=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$dir/all.mp4" 2>>"$dir/err.txt")
  [ "${seconds%.*}" -ge 2 ] 2>>"$dir/err.txt" || why="the video has ${seconds:-no} seconds"
  # H.264 loses colour detail, but the last picture is the last picture.
  ffmpeg -v error -y -sseof -0.3 -i "$dir/all.mp4" -update 1 "$dir/last.png" 2>>"$dir/err.txt"
  psnr=$(ffmpeg -hide_banner -i "$dir/last.png" -i "$dir/all.png" -lavfi psnr -f null - 2>&1 | sed -n 's/.*average:\([0-9]*\).*/\1/p')
  [ "${psnr:-0}" -ge 30 ] || why="the video's last picture: ${psnr:-no} dB"
  head -c 20000 "$dir/demo.rec" >"$dir/cut.rec"
  timeout 60 "$TESSERA" replay "$dir/cut.rec" --speed max --view none >"$dir/cut.txt" 2>&1 </dev/null
  [ $? = 125 ] && grep -q 'cut.rec: is cut off at byte [0-9]*, [0-9.]* s from' "$dir/cut.txt" || why="a cut recording"
  timeout 60 "$TESSERA" replay "$dir/run.txt" --view none >"$dir/text.txt" 2>&1 </dev/null
  [ $? = 2 ] && [ "$(wc -l <"$dir/text.txt")" = 1 ] && grep -q 'is no recording' "$dir/text.txt" || why="no recording"
  result e2e-record "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

# What runs already is attended at a TCP port, a unix socket and a tty. `wait` may begin before there is something to wait for.
view_line() { # DIR CHARDEV DEVICE: DEVICE - is the tty that QEMU names
  local dir=$1 pid device=$3 _
  mkdir -p "$dir"
  qemu-system-x86_64 -nodefaults -no-user-config -display none -accel tcg -cpu max -m 256 -kernel "$BUILD/tessera.elf" -append heads=2 \
    -initrd "$BUILD/guest/demo.elf once" -no-reboot -chardev "$2" -serial chardev:line >"$dir/qemu.txt" 2>&1 </dev/null &
  pid=$!
  [ "$device" != - ] || wait_line "$dir/qemu.txt" '^char device' 1 || echo "QEMU names no tty"
  [ "$device" != - ] || device=$(sed -n 's/^char device redirected to \([^ ]*\).*/\1/p' "$dir/qemu.txt")
  for _ in $(seq 50); do # QEMU opens its sockets when it is ready
    timeout 60 "$TESSERA" view "$device" --view none --serial "$dir/serial.txt" --control "$dir/sock" --record "$dir/view.rec" \
      --screenshot "$dir/shots" >"$dir/view.txt" 2>&1 </dev/null &
    sleep 0.2
    kill -0 $! 2>/dev/null && break
  done
  "$TESSERA" wait --control "$dir/sock" --text-log '^PASS heads' --timeout 50 >>"$dir/view.txt" 2>&1 || echo "$device: wait"
  wait $! || echo "$device: exit status $?"
  check_last_pictures "$dir/shots" "$dir/serial.txt"
  "$TESSERA" replay "$dir/view.rec" --speed max --view none --serial "$dir/again.txt" --screenshot "$dir/again" >>"$dir/view.txt" 2>&1 ||
    echo "$device: replay"
  cmp "$dir/serial.txt" "$dir/again.txt" && cmp "$dir/shots/head1.png" "$dir/again/head1.png"
  kill $pid
  wait $pid 2>/dev/null
}

e2e_view() {
  local dir=$OUT/e2e-view port=$((20000 + $$ % 10000))
  mkdir -p "$dir"
  {
    view_line "$dir/tcp" socket,id=line,host=127.0.0.1,port=$port,server=on,wait=off tcp:127.0.0.1:$port
    view_line "$dir/unix" "socket,id=line,path=$dir/line,server=on,wait=off" "unix:$dir/line"
    view_line "$dir/tty" pty,id=line -
  } >"$dir/why.txt" 2>&1
  result e2e-view "$([ ! -s "$dir/why.txt" ]; echo $?)" "$(head -n 1 "$dir/why.txt") (see $dir/)"
}

# A tty's rate is raised where the VMM's UART can. A host that is killed then leaves the line to the next one, which begins at the old rate.
e2e_view_baud() {
  local dir=$OUT/e2e-view-baud why='' pid viewer tty n
  mkdir -p "$dir"
  qemu-system-x86_64 -nodefaults -no-user-config -display none -accel tcg -cpu max -m 256 -kernel "$BUILD/tessera.elf" \
    -append 'heads=2 uart-clock=48000000' -initrd "$BUILD/guest/echo.elf" -no-reboot -chardev pty,id=line -serial chardev:line \
    >"$dir/qemu.txt" 2>&1 </dev/null &
  pid=$!
  wait_line "$dir/qemu.txt" '^char device' 1 || why="QEMU names no tty"
  tty=$(sed -n 's/^char device redirected to \([^ ]*\).*/\1/p' "$dir/qemu.txt")
  for n in 1 2; do
    timeout 60 "$TESSERA" view "$tty" -v --view none --serial "$dir/serial$n.txt" --log "$dir/vmm$n.log" --control "$dir/sock" \
      --screenshot "$dir/shots" >"$dir/view$n.txt" 2>&1 </dev/null &
    viewer=$!
    "$TESSERA" wait --control "$dir/sock" --text-log '^ready' --timeout 50 >>"$dir/view$n.txt" 2>&1 || why=${why:-"host $n: wait"}
    "$TESSERA" ctl --control "$dir/sock" heads >"$dir/heads$n.txt" 2>&1
    grep -q 'line runs at 3000000 baud' "$dir/view$n.txt" || why=${why:-"host $n: the line is not raised"}
    [ $n = 2 ] || { pkill -9 -P $viewer; wait $viewer; sleep 6; } 2>/dev/null # the VMM notices after 5 s
  done
  "$TESSERA" ctl --control "$dir/sock" key escape >>"$dir/view2.txt" 2>&1
  wait $viewer || why=${why:-"exit status"}
  check_last_pictures "$dir/shots" "$dir/serial2.txt" >"$dir/pictures.txt" || why=${why:-$(head -n 1 "$dir/pictures.txt")}
  kill $pid 2>/dev/null
  wait $pid 2>/dev/null
  result e2e-view-baud "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

# echo_guest DIR VIEW OPTIONS...: starts @echo, which shows what is typed on every head, and waits until it is ready. Its pid is in $echo_pid.
echo_guest() {
  local dir=$1
  mkdir -p "$dir"
  shift
  timeout 150 "$TESSERA" run @echo --machine qemu --control "$dir/sock" --screenshot "$dir/shots" --timeout 140 --view "$@" \
    >"$dir/out.txt" 2>"$dir/err.txt" </dev/null &
  echo_pid=$!
  "$TESSERA" wait --control "$dir/sock" --text-log '^ready' --timeout 60 >>"$dir/err.txt" 2>&1
}

# end_echo_guest DIR: Escape ends it; the screens are what it says.
end_echo_guest() {
  "$TESSERA" ctl --control "$1/sock" key escape >>"$1/err.txt" 2>&1
  wait "$echo_pid" || { echo "exit status of the run"; return 1; }
  check_last_pictures "$1/shots" "$1/out.txt"
}

http_status() { curl -s -o /dev/null -w '%{http_code}' --max-time 10 --path-as-is "$@"; }

# Headless Chromium opens the page, gives the password, sees four heads as they are, clicks, types, and sees the echo. Requests that no page of
# ours makes are refused.
e2e_web() {
  local dir=$OUT/e2e-web why='' url port one _
  mkdir -p "$dir"
  echo pass-wrd >"$dir/password"
  echo_guest "$dir" web --password-file "$dir/password" || why="the guest is not ready"
  url=$(sed -n 's/^tessera: the heads: \(.*\)\/$/\1/p' "$dir/err.txt")
  port=${url##*:}
  [ "${url%:*}" = http://127.0.0.1 ] || why="the address is not said"
  /usr/bin/python3 tests/tools/browser.py "$url/" 4 "'$TESSERA' ctl --control '$dir/sock' heads" --password pass-wrd --click 2 --type 'Echo!' \
    --shot "$dir/page.png" >"$dir/browser.txt" 2>&1 || why="the browser: $(tail -n 1 "$dir/browser.txt")"
  [ "$(http_status "$url/status.json")" = 200 ] || why="status.json"
  [ "$(http_status "$url/../../tessera.elf")" = 404 ] || why="a path that leads out"
  [ "$(http_status "$url/stamp")" = 404 ] || why="a file of no type"
  [ "$(http_status -X POST -d x "$url/")" = 405 ] || why="POST"
  [ "$(http_status -H 'Host: evil.example' "$url/")" = 403 ] || why="a foreign name"
  for one in 'Origin: http://evil.example' 'X: no origin'; do
    [ "$(http_status -H 'Upgrade: websocket' -H 'Connection: Upgrade' -H "$one" "$url/head/0")" = 403 ] || why="a WebSocket of a foreign page"
  done
  # What is no request, and requests without end on more connections than are served at a time, keep nobody else waiting for long.
  timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && head -c 1000000 /dev/urandom >&3" 2>/dev/null
  for _ in $(seq 40); do
    timeout 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET /' >&3 && sleep 15" 2>/dev/null &
  done
  [ "$(http_status --max-time 20 "$url/")" = 200 ] || why="many idle connections"
  end_echo_guest "$dir" >"$dir/end.txt" || why=${why:-$(head -n 1 "$dir/end.txt")}
  [ "$(grep -c '^key \(2a\|12\|2e\|23\|18\|02\)' "$dir/out.txt")" = 7 ] || why=${why:-"not the keys that were typed"}
  grep -q '^buttons 1' "$dir/out.txt" || why=${why:-"no click"}
  result e2e-web "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
}

# An X server for one test: DISPLAY is set, its pid is in $x_pid.
start_x() { # DIR
  : >"$1/display"
  Xvfb -displayfd 5 -screen 0 1280x1024x24 -nolisten tcp 5>"$1/display" >"$1/xvfb.txt" 2>&1 &
  x_pid=$!
  wait_line "$1/display" '[0-9]' 1
  DISPLAY=:$(cat "$1/display")
  export DISPLAY
}

# window_shows WINDOW FILE CRC: until the window's pixels have that CRC, at most 20 s.
window_shows() {
  local _
  for _ in $(seq 40); do
    ffmpeg -v error -y -f x11grab -draw_mouse 0 -window_id "$1" -i "$DISPLAY" -frames:v 1 "$2" && [ "$(picture_crc "$2")" = "$3" ] && return
    sleep 0.5
  done
  return 1
}

head_crc() { "$TESSERA" ctl --control "$1/sock" heads | sed -n "s/^head=$2 .*crc=//p"; }

# TigerVNC's viewer shows head 1 as it is, and what is typed into its window.
e2e_vnc() (
  dir=$OUT/e2e-vnc why='' window=
  mkdir -p "$dir"
  echo secret >"$dir/password"
  echo_guest "$dir" vnc --password-file "$dir/password" || why="the guest is not ready"
  at=$(sed -n 's/^tessera: head 1: vncviewer //p' "$dir/err.txt") # ADDRESS:PORT
  start_x "$dir" || why="no X server"
  VNC_PASSWORD=secret timeout 100 xtigervncviewer -geometry 1024x768+0+0 -RemoteResize=0 -DotWhenNoCursor=0 -MenuKey= -ReconnectOnError=0 \
    "${at%:*}::${at##*:}" >"$dir/viewer.txt" 2>&1 &
  viewer=$!
  window=$(timeout 30 xdotool search --sync --onlyvisible --name TigerVNC 2>>"$dir/err.txt" | head -n 1)
  [ -n "$window" ] || why="no viewer's window"
  window_shows "$window" "$dir/before.png" "$(head_crc "$dir" 1)" 2>>"$dir/err.txt" || why=${why:-"the picture before"}
  { xdotool windowfocus --sync "$window" && xdotool mousemove 512 384 click 1 && xdotool type 'Tiger!'; } 2>>"$dir/err.txt"
  "$TESSERA" wait --control "$dir/sock" --text-log '^key 02' --timeout 20 2>>"$dir/err.txt" || why=${why:-"not what was typed"}
  "$TESSERA" wait --control "$dir/sock" --still 500 --timeout 20 2>>"$dir/err.txt"
  window_shows "$window" "$dir/after.png" "$(head_crc "$dir" 1)" 2>>"$dir/err.txt" || why=${why:-"the picture after"}
  cmp -s "$dir/before.png" "$dir/after.png" && why=${why:-"no echo"}
  # Without the password nothing is shown: VNC authentication is all that is offered.
  types=$(timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/${at##*:} && head -c 12 <&3 >/dev/null && echo 'RFB 003.008' >&3 && head -c 2 <&3" | od -An -tx1)
  [ "$types" = ' 01 02' ] || why=${why:-"security types$types"}
  end_echo_guest "$dir" >"$dir/end.txt" || why=${why:-$(head -n 1 "$dir/end.txt")}
  kill "$viewer" "$x_pid" 2>/dev/null
  wait
  result e2e-vnc "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
)

# The window: heads as they are, beside each other; keys and a click reach the guest. A window for each head, too.
e2e_window() (
  dir=$OUT/e2e-window why='' window=
  mkdir -p "$dir"
  start_x "$dir" || why="no X server"
  echo_guest "$dir" auto --heads 640x480,320x240 || why="the guest is not ready"
  window=$(timeout 30 xdotool search --sync --onlyvisible --name '^Tessera$' 2>>"$dir/err.txt" | head -n 1)
  [ -n "$window" ] || why=${why:-"no window"}
  for _ in $(seq 100); do # it has the size of both heads once they are there
    xdotool getwindowgeometry --shell "$window" 2>>"$dir/err.txt" | grep -qx WIDTH=968 && break
    sleep 0.2
  done
  { xdotool windowfocus --sync "$window" && xdotool mousemove --window "$window" 700 100 click 1 && xdotool type 'Win!'; } 2>>"$dir/err.txt"
  "$TESSERA" wait --control "$dir/sock" --text-log '^key 02' --timeout 20 2>>"$dir/err.txt" || why=${why:-"not what was typed"}
  grep -q '^buttons 1' "$dir/out.txt" || why=${why:-"no click"}
  "$TESSERA" wait --control "$dir/sock" --still 500 --timeout 20 2>>"$dir/err.txt"
  for _ in $(seq 20); do
    ffmpeg -v error -y -f x11grab -draw_mouse 0 -window_id "$window" -i "$DISPLAY" -frames:v 1 "$dir/all.png" 2>>"$dir/err.txt"
    ffmpeg -v error -y -i "$dir/all.png" -vf crop=640:480:0:0 "$dir/0.png" -vf crop=320:240:648:0 "$dir/1.png" 2>>"$dir/err.txt"
    seen="$(picture_crc "$dir/0.png") $(picture_crc "$dir/1.png")"
    shown="$(head_crc "$dir" 0) $(head_crc "$dir" 1)"
    [ "$seen" = "$shown" ] && break
    sleep 0.5
  done
  [ "$seen" = "$shown" ] || why=${why:-"the window shows $seen, not $shown"}
  end_echo_guest "$dir" >"$dir/end.txt" || why=${why:-$(head -n 1 "$dir/end.txt")}
  echo_guest "$dir/each" window --window-per-head --heads 320x240,300x200 || why=${why:-"the guest is not ready"}
  window=$(timeout 30 xdotool search --sync --onlyvisible --name '^Tessera head 1$' 2>>"$dir/err.txt" | head -n 1)
  [ "$(xdotool getwindowgeometry --shell "$window" 2>>"$dir/err.txt" | sed -n 's/^WIDTH=//p')" = 300 ] || why=${why:-"no window of head 1"}
  end_echo_guest "$dir/each" >"$dir/end.txt" || why=${why:-$(head -n 1 "$dir/end.txt")}
  kill "$x_pid"
  result e2e-window "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
)

# completes WORDS...: what the shell offers for the last word. The command is found by PATH.
completes() {
  # shellcheck disable=SC2016 # the inner shell's variables
  bash -c 'source "$1" && shift && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) && _tessera && printf "%s\n" "${COMPREPLY[@]}"' \
    bash "$dir/usr/share/bash-completion/completions/tessera" "$@" 2>>"$dir/err.txt"
}

# What `make install` leaves works from where it is: guests, the page, the completion. The man page and the help tell the same.
e2e_install() (
  dir=$(realpath "$OUT")/e2e-install why=''
  mkdir -p "$dir"
  make -s install DESTDIR="$dir" PREFIX=/usr BUILD="$BUILD" >"$dir/make.txt" 2>&1 || why="make install: $(tail -n 1 "$dir/make.txt")"
  sh tests/tools/man.sh "$TESSERA" >"$dir/man.txt" 2>&1 || why=${why:-$(head -n 1 "$dir/man.txt")}
  PATH=$dir/usr/bin:$PATH
  timeout 90 tessera run @hello --machine qemu --view none --timeout 60 >"$dir/out.txt" 2>"$dir/err.txt" </dev/null ||
    why=${why:-"exit status of @hello"}
  [ -s "$dir/usr/share/man/man1/tessera.1" ] || why=${why:-"no man page"}
  tessera doctor 2>&1 | grep -q '^noVNC *ok' || why=${why:-"no web page"}
  completes tessera ru | grep -qx run || why=${why:-"completion of a command"}
  completes tessera run --machine boch | grep -qx bochs-svm || why=${why:-"completion of a value"}
  completes tessera run --machine = boch | grep -qx bochs-svm || why=${why:-"completion of a value behind ="}
  completes tessera run --rec | grep -qx -- --record= || why=${why:-"completion of an option"}
  { completes tessera run @ech | grep -qx @echo && completes tessera run @ ech | grep -qx @echo; } || why=${why:-"completion of a guest"}
  completes tessera ctl uns | grep -q . && why=${why:-"completion of what is not there"}
  completes tessera ctl unp | grep -qx unplug || why=${why:-"completion of what ctl does"}
  result e2e-install "$([ -z "$why" ]; echo $?)" "$why (see $dir/)"
)
