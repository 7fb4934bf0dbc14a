#!/bin/sh
# man.sh TESSERA: docs/tessera.1 names the commands and options that `tessera help` names, and no others. Says what differs.
set -eu
tessera=$1
page=$(sed '/^\.\\"/d; s/\\-/-/g; s/\\f[BIRP]//g' docs/tessera.1)
commands=$("$tessera" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | grep -vx help)
helps=$(for c in $commands; do "$tessera" help "$c"; done)
bad=0

for c in $commands; do
  printf '%s\n' "$page" | grep -q "^\.BR* \"*tessera $c\b" || { echo "docs/tessera.1: SYNOPSIS has no 'tessera $c'"; bad=1; }
done
for o in $(printf '%s\n' "$helps" | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u); do
  printf '%s\n' "$page" | grep -qE -- "^\.B.*$o([^a-z-]|\$)" || { echo "docs/tessera.1 does not tell of $o"; bad=1; }
done
for o in $(printf '%s\n' "$page" | grep '^\.B' | grep -oE -- '--[a-z][a-z-]*' | sort -u); do
  case $o in --help | --usage | --version) continue ;; esac
  printf '%s\n' "$helps" | grep -qE -- "$o([^a-z-]|\$)" || { echo "docs/tessera.1 tells of $o, which no command has"; bad=1; }
done
for w in $("$tessera" help ctl | sed -n '/^Commands:/,/^Status/s/^  //p' | sed 's/   .*//; s/[A-Z][^,]*//g' | tr -s ', ' '\n' | grep -E '^[a-z]+$'); do
  printf '%s\n' "$page" | sed -n '/^\.SH CONTROL/,/^\.SH THE/p' | grep -qw "$w" || { echo "docs/tessera.1: CONTROL has no $w"; bad=1; }
done
exit $bad
