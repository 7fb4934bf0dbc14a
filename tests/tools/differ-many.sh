#!/usr/bin/env bash
# differ-many.sh BUILD CASES SEED SECONDS: differ.sh over all machines in turn, each batch with a seed of its own, until so many cases
# were tried, or until the seconds are over if SECONDS is not empty. Ends with 1 at the first difference, whose seed is told.
set -u
BUILD=$1 CASES=$2 SEED=$3 LIMIT=$4
HERE=$(dirname "$0")
MACHINES=(qemu bochs bochs-svm)
BATCH=(40000 10000 10000) # about as long on each machine
declare -A tried=([qemu]=0 [bochs]=0 [bochs-svm]=0)
done=0 turn=0
SECONDS=0
while [ "$done" -lt "$CASES" ] && { [ -z "$LIMIT" ] || [ $SECONDS -lt "$LIMIT" ]; }; do
  machine=${MACHINES[turn % 3]} cases=${BATCH[turn % 3]}
  if [ -n "$LIMIT" ]; then cases=$((cases / 10)); fi # so that the limit is kept
  [ $((CASES - done)) -ge "$cases" ] || cases=$((CASES - done))
  bash "$HERE/differ.sh" "$BUILD" "$machine" "$cases" $((SEED + turn)) || exit 1
  done=$((done + cases)) turn=$((turn + 1))
  tried[$machine]=$((tried[$machine] + cases))
done
echo "differ: $done cases in $SECONDS s (qemu ${tried[qemu]}, bochs ${tried[bochs]}, bochs-svm ${tried[bochs-svm]}), seeds $SEED to $((SEED + turn - 1)): no difference"
