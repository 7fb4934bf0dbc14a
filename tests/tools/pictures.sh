#!/bin/sh
# pictures.sh BUILD DIR: the book's drawings, and the README's pictures, made by the command itself: the demo is played and recorded once, a picture of each head is
# exported, and the page that shows the recording is looked at.
set -eu
build=$1 dir=$2
work=$build/pictures
tessera=$build/tessera
mkdir -p "$work" "$dir"
for graph in "$dir"/src/*.dot; do
  dot -Tsvg "$graph" -o "$dir/$(basename "$graph" .dot).svg"
done
"$tessera" run @demo --machine qemu --heads 4 --view none --serial null --record "$work/demo.rec" --timeout 120 -- once
for head in 0 1 2 3; do
  "$tessera" export "$work/demo.rec" "$dir/demo-head$head.png" --head $head
done
"$tessera" replay "$work/demo.rec" --speed max --view web --serial null --control "$work/sock" --timeout 120 2>"$work/err" &
replay=$!
trap 'kill $replay' EXIT
"$tessera" wait --control "$work/sock" --still 500 --timeout 20
url=$(sed -n 's/^tessera: the heads: //p' "$work/err")
/usr/bin/python3 tests/tools/browser.py "$url" 4 "'$tessera' ctl --control '$work/sock' heads" --shot "$dir/web.png"
