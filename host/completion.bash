# Completion for bash of the tessera command. Commands and options are asked of the command itself, so they are those that it has.

# What may stand for an option's value, or behind a command.
_tessera_words() { # TESSERA COMMAND PREVIOUS CURRENT
  case $3 in
    --machine) echo auto qemu bochs bochs-svm kvm ;;
    --boot) echo direct grub ;;
    --paging) echo hap shadow ;;
    --dirty) echo auto fault dbit pml ;;
    --on-crash) echo end stay reset ;;
    --encode-share) echo 1 5 10 25 50 ;;
    --view) echo auto window web vnc none ;;
    --serial) echo stdio null ;;
    --speed) echo 1 2 max ;;
    tessera | */tessera | help) "$1" help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p' ;;
    *)
      case $2:$4 in
        *:-*) "$1" help "$2" 2>/dev/null | grep -oE '^ +(-[a-z], )?--[a-z-]+=?' | grep -oE -- '--[a-z-]+=?' ;;
        run:@*) "$1" list 2>/dev/null | sed -n 's/^\(@[^ ]*\) .*/\1/p' ;;
        ctl:*) "$1" help ctl 2>/dev/null | sed -n '/^Commands:/,/^Status/s/^  //p' | sed 's/   .*//; s/[A-Z][^,]*//g' | tr ',' ' ' ;;
        view:*) echo unix: tcp: ;;
      esac
      ;;
  esac
}

_tessera() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  # The shell breaks words at = and @; what it puts in has the @ again.
  case $prev:$cur in
    *:=) cur= ;;
    =:*) prev=${COMP_WORDS[COMP_CWORD - 2]} ;;
    @:*) cur=@$cur ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$(_tessera_words "${COMP_WORDS[0]}" "$command" "$prev" "$cur")" -- "$cur")
  if [ ${#COMPREPLY[@]} = 0 ] && [ "$command" != ctl ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    compopt -o filenames 2>/dev/null
  elif [[ ${COMPREPLY[*]} == *[=:] ]]; then
    compopt -o nospace 2>/dev/null
  fi
  return 0
}
complete -F _tessera tessera
