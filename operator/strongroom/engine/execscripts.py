"""What `sh` runs inside a container around a program. Fixed texts: every value is a positional parameter, never part of them.

POSIX sh with tee, wc and openssl or sha256sum, of coreutils or busybox. No file is written: a read-only root will do.

Order of ending is everything here. In a container of the official PostgreSQL image the server is process 1. A process that
loses its parent becomes the server's child, and if it then dies by a signal the server (to major 17) takes it for a crashed
backend and throws every session out. So programs are ended leaves first, and their own parents, the shells, stay to reap them.
"""

_SCAN = r"""
bears() {
  while read -r line || [ -n "$line" ]; do
    case "$line" in *"$marker"*) return 0 ;; esac
  done 2>/dev/null <"$1"
  return 1
}
scan() {
  shells= programs= children= leaves= parents=' ' members=' '
  for folder in /proc/[0-9]*; do
    read -r stat 2>/dev/null <"$folder/stat" || continue
    set -- ${stat##*) }
    case " $sessions " in *" $4 "*) ;; *) continue ;; esac
    parents="$parents$2 "
    [ "$1" = Z ] && continue
    members="$members${folder#/proc/} "
    if bears "$folder/cmdline"; then
      shells="$shells ${folder#/proc/}"
    else
      programs="$programs ${folder#/proc/}"
      children="$children ${folder#/proc/}:$2"
    fi
  done
  for child in $children; do
    case "$parents" in *" ${child%:*} "*) continue ;; esac
    case "$members" in *" ${child#*:} "*) ;; *) [ "$tries" -gt 20 ] || continue ;; esac
    leaves="$leaves ${child%:*}"
  done
}
end_some() {
  tries=$((tries + 1))
  if [ "$tries" -le 20 ]; then kill -TERM $leaves
  elif [ "$tries" -le 50 ]; then kill -KILL $leaves
  else kill -KILL $programs; fi 2>/dev/null
  sleep 0.1 2>/dev/null || sleep 1
}
"""
"""Processes of the sessions in `sessions`: our shells, known by the marker in their command lines, programs, and those of
them without children. `end_some` asks the latter to end, and insists after two seconds. One whose parent has gone is process 1's
child already: most are about to end by themselves, so it has as long."""

_BEGIN = r"""
marker=$0 nonce=$1 count=$2
shift 2
exec 3<&0 </dev/null
while [ "$count" -gt 0 ]; do
  IFS= read -r value <&3 || exit 1
  export "$1=$value"
  count=$((count - 1))
  shift
done
value= sessions=$$ tries=0
trap : HUP INT TERM
"""
"""stdin goes to 3. Its first lines are values of environment variables, whose names stand before the program."""

_WATCH = r"""
leads() {
  read -r stat <"/proc/$$/stat"
  set -- ${stat##*) }
  [ "$4" = "$$" ]
}
leads || { echo 'the shell leads no session of its own' >&2; exit 1; }
watch() {
  trap 'exit 0' TERM
  while read -r line <&3; do :; done
  while kill -0 "$$"; do
    scan
    end_some
  done
}
watch >/dev/null 2>&1 &
watcher=$!
exec 8</dev/null
"""
"""stdin is the lifeline: at its end the programs of this session are ended. The watcher itself ends by the shell's hand."""

_FEED = r"""
watcher=
exec 8<&3
"""
"""stdin is the program's: it ends by itself when there is no more."""

_MEASURED = r"""
digest() {
  if echo | openssl dgst -sha256 -r >/dev/null 2>&1; then openssl dgst -sha256 -r; else sha256sum; fi
}
exec 4>&1
report=$(
  exec 5>&1
  {
    {
      { "$@" <&8 3<&- 4>&- 5>&- 6>&- 7>&- 8<&-; echo "status $?" >&5; } |
        { tee /dev/fd/6 /dev/fd/7 >&4 3<&- 5>&- 8<&-; echo "copied $?" >&5; }
    } 7>&1 | { size=$(wc -c); echo "bytes $size" >&5; }
  } 6>&1 | { hash=$(digest); echo "sha256 ${hash%% *}" >&5; }
)
"""
"""The program's stdout goes to ours, and on the way through `wc` and the digest. tee's own end counts too: it may be killed."""

_PLAIN = r"""
"$@" <&8 >&2 3<&- 8<&-
report="status $?"
"""
"""All that it writes goes to stderr: there the trailer is sure to come behind it."""

_TRAILER = r"""
while [ -n "$watcher" ] && kill -TERM "$watcher"; do
  sleep 0.05 || sleep 1
done 2>/dev/null
printf '\n%s %s end\n' "$nonce" "$(echo $report)" >&2
"""
"""The last line of stderr, so that stdout is the program's alone. The watcher is asked, for it may be waiting for a `sleep`, which
would be left to process 1; and again and again, for one that has only just begun misses it."""

MEASURED = _SCAN + _BEGIN + _WATCH + _MEASURED + _TRAILER
FED = _SCAN + _BEGIN + _FEED + _MEASURED + _TRAILER
PLAIN = _SCAN + _BEGIN + _WATCH + _PLAIN + _TRAILER

_END = r"""
marker=$1$3 sessions= tries=0
for folder in /proc/[0-9]*; do
  bears "$folder/cmdline" || continue
  read -r stat 2>/dev/null <"$folder/stat" || continue
  set -- ${stat##*) }
  sessions="$sessions $4"
done
while scan; [ -n "$shells$programs" ] && [ "$tries" -lt 100 ]; do
  [ "$tries" -gt 70 ] && kill -KILL $shells 2>/dev/null
  end_some
done
"""
END = _SCAN + _END
"""Ends the sessions whose shells bear `$1$3`. `$2` keeps the two apart, so that its own command line does not bear it."""
