"""The far side: the shell script that runs on a device, and how what it says is read.

Plain POSIX shell with what BusyBox has. It holds neither a single quote nor a backslash, so that
it passes unchanged through a login shell of any kind (`sh`, `bash`, `zsh`, `fish`). Every line
meant for us begins with `edge-flash`; the rest is noise of login scripts.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from string import Template

from edge.bundle.locate import APPLICATION, BUNDLES, CURRENT, HASH_DIGITS, PREVIOUS

MARK = "edge-flash"
"""First word of every line that the script says."""

SOFTWARE = f".local/lib/{APPLICATION}"
"""Where `edge-flash setup` keeps the software, below the home folder of a device's user."""

LOCK_S = 120
"""Longest wait for another push or rollback on the same device to end."""

_HEX = "[0-9a-f]" * HASH_DIGITS

PRELUDE = """
set -u
LC_ALL=C
export LC_ALL
umask 077
say() { echo "@@{MARK} $*"; }
fail() { say "error $*"; exit 9; }

base=${XDG_DATA_HOME:-}
case $base in
/*) ;;
*) [ -n "${HOME:-}" ] || fail home; base=$HOME/.local/share ;;
esac
root=$base/@@{APPLICATION}
shelf=$root/@@{BUNDLES}
soft=${HOME:-}/@@{SOFTWARE}

# what has been done; a test lets the script die here
step() {
    say "step $1"
    [ "${EDGE_FLASH_DIE_AFTER:-}" = "$1" ] && kill -KILL $$
    return 0
}

digest() {
    if command -v sha256sum >/dev/null 2>&1; then
        line=$(sha256sum <"$1") || return 1
    elif command -v python3 >/dev/null 2>&1; then
        line=$(python3 - "$1" <<EOF
import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())
EOF
) || return 1
    else
        return 1
    fi
    echo "${line%% *}"
}
can_digest() {
    command -v sha256sum >/dev/null 2>&1 || command -v python3 >/dev/null 2>&1 || fail digest
}

# a symbolic link of a folder leads to a target; at every moment to the old one or to the new one
point() {
    new=$1/.$2-$$
    rm -f "$new"
    ln -s "$3" "$new" 2>/dev/null || fail write "$1"
    mv -f -T "$new" "$1/$2" 2>/dev/null && return
    { [ -d "$1/$2" ] || mv -f "$new" "$1/$2" 2>/dev/null; } && [ ! -L "$new" ] && return
    rm -f "$new"
    fail write "$1/$2"
}

settle() { sync "$1" 2>/dev/null || sync; }

# one at a time: two at once must leave one of them current
locked=
lock() {
    command -v flock >/dev/null 2>&1 || return 0
    { exec 9>"$1/.lock"; } 2>/dev/null || fail write "$1"
    flock -w @@{LOCK_S} 9 || fail busy
    locked=1
}
# what is started now must not hold the lock
unlock() { exec 9>&-; }

free_space() {
    set -- $(df -Pk "$1" 2>/dev/null | tail -n 1)
    case ${4:-} in
    *[!0-9]* | "") ;;
    *) say "free $4" ;;
    esac
}

# what became of the people: the second line of a self-test that passed
tell() {
    said=$(echo "$1" | tail -n +2 | head -n 1)
    [ -z "$said" ] || say "people $said"
}

# standard input into a file: bytes and SHA-256 must be those that were sent
receive() {
    (: >"$1") 2>/dev/null || fail write "${1%/*}"
    problem=$(cat 2>&1 >"$1") || case $problem in
    *space* | *quota* | *Quota*) fail space "${1%/*}" ;;
    *) fail write "${1%/*}" "$problem" ;;
    esac
    got=$(wc -c <"$1") && got=$((got))
    [ "$got" = "$2" ] || fail short "$got"
    hash=$(digest "$1") || fail digest
    [ "$hash" = "$3" ] || fail corrupt "$hash"
    settle "$1"
}
"""
"""The ground that every script stands on: what it says, where things lie, links, locks."""

_SCRIPT = """
target() {
    place=$(readlink "$root/$1") || return 0
    case $place in
    "$shelf"/*) echo "@@{BUNDLES}/${place##*/}" ;;
    *) echo "$place" ;;
    esac
}
exists() {
    case $1 in
    "") return 1 ;;
    /*) [ -f "$1" ] ;;
    *) [ -f "$root/$1" ] ;;
    esac
}

recognizer() {
    for place in "$soft/current/bin/@@{APPLICATION}" "$(command -v @@{APPLICATION})" \
        "${HOME:-}/edge/bin/@@{APPLICATION}" "${HOME:-}/.local/bin/@@{APPLICATION}"; do
        case $place in /*) [ -x "$place" ] && echo "$place" && return ;; esac
    done
    return 1
}
# runs the bundle with the software of this device; status 2 is that of one without the command
prove() {
    tool=$(recognizer) || { say untried; return; }
    said=$("$tool" self-test "$1" --carry-over $ALSO 2>&1)
    status=$?
    # software without these options
    [ "$status" = 2 ] && { said=$("$tool" self-test "$1" 2>&1); status=$?; }
    [ "$status" = 0 ] && { say "proved $tool"; tell "$said"; return; }
    [ "$status" = 2 ] && { say "untried $tool"; return; }
    set -f
    set -- $said
    fail unfit "$*"
}

make_folder() {
    mkdir -p "$shelf" 2>/dev/null && [ -w "$shelf" ] && [ -w "$root" ] || fail write "$shelf"
    for left in "$shelf"/.upload-*; do
        [ -d "/proc/${left##*-}" ] || rm -f "$left"
    done
}

state() {
    can_digest
    probe=$shelf
    while [ ! -e "$probe" ]; do
        probe=${probe%/*}
        [ -n "$probe" ] || probe=/
    done
    [ -d "$probe" ] && [ -w "$probe" ] && [ -x "$probe" ] || fail write "$probe"
    free_space "$probe"
    [ -f "$shelf/$1" ] && say "has $(digest "$shelf/$1")"
    say "current $(target @@{CURRENT})"
    say "previous $(target @@{PREVIOUS})"
}

clean() {
    rm -f "$part"
    rmdir "$shelf" "$root" 2>/dev/null
}
upload() {
    can_digest
    make_folder
    part=$shelf/.upload-$$
    trap clean EXIT
    trap "exit 9" HUP INT TERM PIPE
    receive "$part" "$3" "$2"
    step received
    lock "$root"
    prove "$part"
    step proved
    mv -f "$part" "$shelf/$1" 2>/dev/null || fail write "$shelf"
    settle "$shelf"
    say "uploaded $got"
    step shelved
}

switch() {
    make_folder
    [ -f "$shelf/$1" ] || fail gone "$1"
    touch "$shelf/$1" 2>/dev/null
    was=$(target @@{CURRENT})
    if [ "$was" = "@@{BUNDLES}/$1" ]; then
        say unchanged
    else
        exists "$was" && point "$root" @@{PREVIOUS} "$was"
        step kept
        point "$root" @@{CURRENT} "@@{BUNDLES}/$1"
        settle "$root"
        say "switched $was"
        step switched
    fi
}

prune() {
    now=$(target @@{CURRENT})
    before=$(target @@{PREVIOUS})
    count=1
    exists "$before" && [ "$now" != "$before" ] && count=2
    ls -1t "$shelf" | while IFS= read -r name; do
        case $name in
        *-@@{HEX}.edge) ;;
        *) continue ;;
        esac
        case @@{BUNDLES}/$name in "$now" | "$before") continue ;; esac
        count=$((count + 1))
        [ "$count" -le "$1" ] && continue
        rm -f "$shelf/$name" && say "pruned $name"
    done
}

rollback() {
    can_digest
    was=$(target @@{CURRENT})
    back=$(target @@{PREVIOUS})
    [ -n "$back" ] && [ "$back" != "$was" ] || fail nothing
    exists "$back" || fail gone "$back"
    case $back in
    @@{BUNDLES}/*-@@{HEX}.edge)
        hash=$(digest "$root/$back") || fail digest
        due=${back%.edge}
        case $hash in "${due##*-}"*) ;; *) fail damaged "$back" ;; esac
        ;;
    esac
    [ -w "$root" ] || fail write "$root"
    [ "$DRY" = 1 ] && { say "switched $was"; say "current $back"; return; }
    lock "$root"
    ALSO=--allow-older
    prove "$root/$back"
    point "$root" @@{CURRENT} "$back"
    step switched
    if exists "$was"; then point "$root" @@{PREVIOUS} "$was"; else rm -f "$root/@@{PREVIOUS}"; fi
    settle "$root"
    step settled
    say "switched $was"
    say "current $back"
}

list() {
    say "folder $shelf"
    say "current $(target @@{CURRENT})"
    say "previous $(target @@{PREVIOUS})"
    for file in "$shelf"/*.edge; do
        [ -f "$file" ] || continue
        hash=$(digest "$file") || hash=unknown
        say "bundle $(stat -c "%s %Y" "$file") $hash ${file##*/}"
    done
}

running() {
    if command -v systemctl >/dev/null 2>&1; then
        for scope in --user --system; do
            found=$(systemctl "$scope" show -p MainPID --value @@{APPLICATION} 2>/dev/null)
            case $found in 0 | "" | *[!0-9]*) ;; *) echo "$found" ;; esac
        done
    fi
}
others() { command -v pgrep >/dev/null 2>&1 && pgrep -x @@{APPLICATION}; }
catches_hup() {
    while read -r key value rest; do
        [ "$key" = SigCgt: ] && case $value in *[13579bdf]) return 0 ;; esac
    done <"/proc/$1/status"
    return 1
} 2>/dev/null
asked=
notify() {
    services=$(running | sort -u)
    for process in $services; do
        [ -d "/proc/$process" ] || continue
        if [ "$1" = 0 ]; then
            say "process running $process"
        elif catches_hup "$process"; then
            kill -HUP "$process" 2>/dev/null && asked="$asked $process" &&
                say "process asked $process" || say "process denied $process"
        else
            say "process deaf $process"
        fi
    done
    # what was started by hand is told of, and not signaled
    for process in $(others); do
        case " $(echo $services) " in *" $process "*) continue ;; esac
        say "process running $process"
    done
}

# whoever was asked to load the new bundle must live on; else the one before is current again
watch() {
    [ -n "$asked" ] || return 0
    left=$1
    while [ "$left" -gt 0 ]; do
        sleep 1
        left=$((left - 1))
        for process in $asked; do
            [ -d "/proc/$process" ] && continue
            exists "$was" || fail died "$process"
            point "$root" @@{CURRENT} "$was"
            settle "$root"
            fail fellback "$process"
        done
    done
    say "watched $1"
}

DRY=0
ALSO=
verb=$1
shift
case $verb in
state) state "$@" ;;
upload)
    ALSO=$7
    upload "$1" "$2" "$3"
    switch "$1"
    prune "$4"
    step pruned
    notify "$5"
    watch "$6"
    ;;
switch)
    ALSO=$5
    make_folder
    lock "$root"
    [ -f "$shelf/$1" ] && [ "$(target @@{CURRENT})" != "@@{BUNDLES}/$1" ] && prove "$shelf/$1"
    switch "$1"
    prune "$2"
    notify "$3"
    watch "$4"
    ;;
rollback) DRY=$1; rollback; [ "$DRY" = 1 ] || notify "$2" ;;
list) list ;;
esac
say done
"""


class ScriptTemplate(Template):
    """Shell text with `@@{WORD}` where a value belongs: `$` is the shell's own."""

    delimiter = "@@"


_WORDS = {
    "MARK": MARK,
    "APPLICATION": APPLICATION,
    "BUNDLES": BUNDLES,
    "CURRENT": CURRENT,
    "PREVIOUS": PREVIOUS,
    "HEX": _HEX,
    "SOFTWARE": SOFTWARE,
    "LOCK_S": str(LOCK_S),
}


def script(body: str = _SCRIPT) -> str:
    """A whole script; its first argument is what to do, see `command`."""
    return ScriptTemplate(PRELUDE + body).substitute(_WORDS)


def command(verb: str, *arguments: object) -> str:
    """The command line for ssh: the script with a verb and its arguments.

    `state NAME SHA256`, `upload NAME SHA256 BYTES KEEP RELOAD WATCH ALSO` (the file on standard
    input), `switch NAME KEEP RELOAD WATCH ALSO`, `rollback DRY RELOAD`, `list`.
    """
    return command_of(script(), verb, *arguments)


def command_of(text: str, verb: str, *arguments: object) -> str:
    """The command line for ssh that runs a script with a verb and its arguments."""
    words = ["sh", "-c", text, MARK, verb, *(str(argument) for argument in arguments)]
    return "exec " + " ".join(shlex.quote(word) for word in words)


@dataclass(frozen=True)
class Answer:
    """What the script said: pairs of key and the rest of the line, in order."""

    lines: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, output: str) -> Answer:
        """From standard output; lines of others are left out."""
        said = [line.strip().split(" ", 2) for line in output.splitlines()]
        ours = [words[1:] for words in said if words[0] == MARK and len(words) > 1]
        return cls(tuple((words[0], words[1] if len(words) > 1 else "") for words in ours))

    @property
    def complete(self) -> bool:
        """Whether the script came to its end."""
        return ("done", "") in self.lines

    def first(self, key: str) -> str | None:
        """The value of a key, None where it was not said."""
        return next((value for name, value in self.lines if name == key), None)

    def all(self, key: str) -> tuple[str, ...]:
        """All values of a key, in order."""
        return tuple(value for name, value in self.lines if name == key)
