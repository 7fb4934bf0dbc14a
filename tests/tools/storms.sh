#!/usr/bin/env bash
# storms.sh BUILD SECONDS SEED CASES CELL...: storms of CASES cases, one cell (MACHINE-PAGING) after the other, each with the next seed, until SECONDS are
# over. Tells what failed, and ends with 1 if any did.
set -u
BUILD=$1 LAST=$((SECONDS + $2)) seed=$3 CASES=$4
shift 4
failed=0 storms=0
while [ $SECONDS -lt $LAST ]; do
  for cell in "$@"; do
    [ $SECONDS -lt $LAST ] || break
    LIMIT=900 tests/tools/storm.sh "$BUILD" "${cell%-*}" "${cell##*-}" "$CASES" "$seed" || failed=$((failed + 1))
    seed=$((seed + 1)) storms=$((storms + 1))
  done
done
echo "$storms storms of $CASES cases, $failed failed; seeds to $((seed - 1))"
[ $failed = 0 ]
