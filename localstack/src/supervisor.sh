# Stands between the launcher and one server; see process.rs. POSIX sh.
directory=$1 log=$2
shift 2
exec 3<&0 </dev/null

# A group of its own, so that all the server starts can be ended with it; killed by the kernel if this shell is.
alone=
if command -v setpriv >/dev/null 2>&1; then set -- setpriv --pdeathsig KILL "$@"; fi
if command -v setsid >/dev/null 2>&1; then set -- setsid "$@"; alone=-; fi
"$@" 3<&- >>"$log" 2>&1 &
server=$!
trap : HUP INT TERM
trap '' PIPE

(
    # Nothing is ever written to the pipe: reading ends when its other end is closed.
    cat <&3 >/dev/null
    kill -s TERM "$server" 2>/dev/null
    tenths=0
    while [ "$tenths" -lt 3 ] && kill -0 "$server" 2>/dev/null; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
    kill -s KILL -- "$alone$server" 2>/dev/null
) >/dev/null &
watcher=$!

# A signal to this shell ends `wait` early; only the end of the server counts.
while :; do
    wait "$server"
    code=$?
    kill -0 "$server" 2>/dev/null || break
done
# At once, while its number cannot be anybody else's: what it started and left behind. Then nobody may use the number again.
kill -s KILL -- "$alone$server" 2>/dev/null
kill -s TERM "$watcher" 2>/dev/null
echo "exit $code"

# The log stays until the launcher has had time to read it.
cat <&3 >/dev/null
while IFS= read -r file; do rm -f -- "$file"; done <"$directory/litter"
rm -rf "$directory"
