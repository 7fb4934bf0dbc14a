#!/bin/sh
# pictures.sh BUILD DIR: the README's pictures, made by the command itself: the demo is played and recorded once, a picture of each head is
# exported, and the page that shows the recording is looked at.
set -eu
build=$1 dir=$2
work=$build/pictures
tessera=$build/tessera
mkdir -p "$work" "$dir"
"$tessera" run @demo --machine qemu --heads 4 --view none --serial null --record "$work/demo.rec" --timeout 120 -- once
for head in 0 1 2 3; do
  "$tessera" export "$work/demo.rec" "$dir/demo-head$head.png" --head $head
done
"$tessera" replay "$work/demo.rec" --speed max --view web --listen 127.0.0.1:6178 --serial null --control "$work/sock" --timeout 120 &
replay=$!
trap 'kill $replay' EXIT
/usr/bin/python3 tests/tools/browser.py http://127.0.0.1:6178/ 4 "'$tessera' ctl --control '$work/sock' heads" --shot "$dir/web.png"
