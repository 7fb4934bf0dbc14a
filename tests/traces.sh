# shellcheck shell=bash disable=SC2153 # OUT, TESSERA and the functions used are tests/run's
# Recordings of screens through the codec, whole and in both modes: what comes back is what went in, and never takes more bytes than ZRLE
# did (tests/traces/baseline.tsv). Beside those of the tree our own painted scenes, and, with TRACES=, those of another folder. Sourced by
# tests/run. About 30 s of CPU.

# most_bytes SCENE: what ZRLE takes, at best; nothing where it is not known.
most_bytes() {
  awk -v scene="$1" '$1 == scene { a = $5 + $6; b = $7 + $8; print a < b ? a : b }' tests/traces/baseline.tsv
}

# trace_test LABEL INPUT OPTIONS...
trace_test() {
  local label=$1 input=$2 why='' mode bytes most
  shift 2
  "$TESSERA" bench trace "$@" "$input" >"$OUT/$label.txt" 2>&1 || why=$(tail -n 1 "$OUT/$label.txt")
  most=$(most_bytes "${label#trace-}")
  for mode in dense fast; do
    bytes=$(sed -n "s/.* $mode=\([0-9]*\).*/\1/p" "$OUT/$label.txt")
    [ "${bytes:-0}" -gt 0 ] || why=${why:-"no bytes in the $mode mode"}
    [ "${bytes:-0}" -le "${most:-${bytes:-0}}" ] || why=${why:-"$bytes bytes in the $mode mode, and ZRLE takes $most"}
  done
  result "$label" "$([ -z "$why" ]; echo $?)" "$why"
}

trace_tests() {
  local input label folder=
  [ -z "${TRACES:-}" ] || [ "$TRACES" -ef tests/traces ] || folder=$TRACES
  for input in tests/traces/*.ret1.zst ${folder:+"$folder"/*.ret1.zst} @console @editor @window @plot @video; do
    [ -e "$input" ] || [ "${input#@}" != "$input" ] || continue
    label=trace-$(basename "$input" .ret1.zst | tr -d @)
    [ "${input%/*}" != "$folder" ] || label=$label-other
    wanted "$label" || continue
    throttle
    case $input in
      @video) trace_test "$label" "$input" --frames=6 & ;; # noise, which takes the dense mode long
      *) trace_test "$label" "$input" & ;;
    esac
  done
  wait
}
