# shellcheck shell=bash
# Judges pictures by what the guest printed. BUILD: where `make` put things.

# check_last_pictures DIR TEXT: the last `screen` line of each head is what DIR/headH.png shows.
check_last_pictures() {
  local dir=$1 text=$2 head what bad=0 heads
  mapfile -t heads < <(sed -n 's/^screen head=\([0-9]*\) .*/\1/p' "$text" | sort -u)
  for head in "${heads[@]}"; do
    what=$(grep "^screen head=$head " "$text" | tr -d '\r' | tail -n 1 | cut -d' ' -f3-)
    if [ "$("$BUILD/tests/pngcrc" "$dir/head$head.png" 2>&1)" != "$what" ]; then
      echo "the last picture of head $head is not $what"
      bad=1
    fi
  done
  return $bad
}

# check_pictures DIR TEXT: and the n-th group of `screen` lines is the n-th request, DIR/headH-NNN.png.
check_pictures() {
  local dir=$1 text=$2 head what n file bad=0
  declare -A count=()
  while read -r _ head what; do
    head=${head#head=}
    n=${count[$head]:-0}
    count[$head]=$((n + 1))
    file=$dir/head$head-$(printf %03d "$n").png
    if [ "$("$BUILD/tests/pngcrc" "$file" 2>&1)" != "$what" ]; then
      echo "picture $file is not $what"
      bad=1
    fi
  done < <(grep '^screen head=' "$text" | tr -d '\r')
  check_last_pictures "$dir" "$text" || bad=1
  return $bad
}
