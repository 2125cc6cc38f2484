"""The far side of setting up: the script that installs the software on a device.

As `export.flash.remote_script`: POSIX shell without single quotes and backslashes. An environment
is built at its last place beside the one that runs (`env-VERSION-HASH`), proves itself there, and
becomes the current one by the rename of a link. `.complete` in it says that it was proved.
"""

from __future__ import annotations

from export.flash.remote_script import command_of, script

_SCRIPT = """
handy=${HOME:-}/edge
config=${XDG_CONFIG_HOME:-}
case $config in /*) ;; *) config=${HOME:-}/.config ;; esac
config=$config/@@{APPLICATION}
unit=${SYSTEMD_UNIT_PATH:-/etc/systemd/system}/@@{APPLICATION}.service

named() {
    place=$(readlink "$soft/$1") && echo "${place##*/}"
    return 0
}
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" 2>/dev/null; fi
}
last_of() {
    set -f
    set -- $(echo "$1" | tail -n 3)
    set +f
    echo "$*"
}

facts() {
    can_digest
    say "machine $(uname -m)"
    say "bits $(getconf LONG_BIT 2>/dev/null)"
    say "os $( (. /etc/os-release && echo "${VERSION_CODENAME:-$ID}") 2>/dev/null)"
    [ -r /proc/device-tree/model ] && say "model $(tr -cd "[:print:]" </proc/device-tree/model)"
    say "time $(date +%s)"
    free_space "$HOME"
    command -v systemctl >/dev/null 2>&1 && say systemd
    as_root true && say root
    [ -f "$unit" ] && say unit
    say "current $(named current)"
    say "previous $(named previous)"
    [ -e "$handy" ] && [ ! -L "$handy" ] && say "taken $handy"
    tool=$(command -v python3) || fail python "no python3"
    "$tool" - <<EOF || fail python "python3 does not run"
import importlib.util, sys
print("@@{MARK}", "python", "%d.%d" % sys.version_info[:2], sys.executable)
for name in ("ensurepip", "picamera2"):
    if importlib.util.find_spec(name) is not None:
        print("@@{MARK}", name)
EOF
}

# what others have left; whoever holds the lock is alone
sweep() {
    for left in "$soft"/.parts-* "$soft"/env-*; do
        [ -d "$left" ] || continue
        case ${left##*/} in
        .parts-*) { [ -n "$locked" ] || [ ! -d "/proc/${left##*-}" ]; } && rm -rf "$left" ;;
        *) [ -e "$left/.complete" ] || rm -rf "$left" ;;
        esac
    done
}
discard() {
    rm -rf "$parts"
    [ -e "$fresh/.complete" ] || rm -rf "$fresh"
}
# NAME SHA256 BYTES SITE OFFLINE WHEEL[EXTRAS] ALSO
build() {
    can_digest
    mkdir -p "$soft" 2>/dev/null && [ -w "$soft" ] || fail write "$soft"
    lock "$soft"
    sweep
    parts=$soft/.parts-$$
    fresh=$soft/$1
    trap discard EXIT
    trap "exit 9" HUP INT TERM PIPE
    mkdir "$parts" || fail write "$soft"
    receive "$parts/all.tar" "$3" "$2"
    step received
    tar -xf "$parts/all.tar" -C "$parts" 2>/dev/null || fail space "$soft"
    rm -f "$parts/all.tar"
    step unpacked
    rm -rf "$fresh"
    site=
    [ "$4" = 1 ] && site=--system-site-packages
    said=$(python3 -m venv $site "$fresh" 2>&1) || fail venv "$(last_of "$said")"
    step made
    wheel=$6
    also=${7:-}
    if [ "$5" = 1 ]; then set -- --no-index --find-links "$parts"; else set --; fi
    said=$("$fresh/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --only-binary=:all: "$@" -c "$parts/constraints.txt" "$parts/$wheel" 2>&1) ||
        fail pip "$(last_of "$said")"
    rm -rf "$parts"
    step installed
    said=$("$fresh/bin/@@{APPLICATION}" self-test --carry-over $also 2>&1) ||
        fail unproved "$(last_of "$said")"
    tell "$said"
    step tested
    : >"$fresh/.complete"
    sync -f "$soft" 2>/dev/null || sync
    step synced
    was=$(named current)
    [ -n "$was" ] && [ "$was" != "${fresh##*/}" ] && point "$soft" previous "$was"
    step kept
    point "$soft" current "${fresh##*/}"
    settle "$soft"
    say "switched $was"
    step switched
    [ -e "$handy" ] || [ -L "$handy" ] || ln -s "$soft/current" "$handy"
    for left in "$soft"/env-*; do
        case ${left##*/} in "$(named current)" | "$(named previous)") continue ;; esac
        rm -rf "$left" && say "pruned ${left##*/}"
    done
    step pruned
}

main_pid() {
    found=$(systemctl show -p MainPID --value @@{APPLICATION} 2>/dev/null)
    case $found in 0 | "" | *[!0-9]*) return 1 ;; esac
    echo "$found"
}
stays_up() {
    left=$1
    process=$(main_pid) || return 1
    while [ "$left" -gt 0 ]; do
        sleep 1
        left=$((left - 1))
        [ -d "/proc/$process" ] || return 1
    done
}
# WATCH UPDATED [WORDS]: the unit, and whether what it starts lives on
service() {
    seconds=$1
    updated=$2
    shift 2
    command -v systemctl >/dev/null 2>&1 || {
        say "left there is no systemd, so no service"
        return
    }
    said=$("$soft/current/bin/python" -m edge.cli.main service --install "$@" 2>&1)
    status=$?
    said=$(last_of "$said")
    [ "$status" = 2 ] && fail words "$said"
    step enabled
    case $said in *"needs root"*) say "left $said"; return ;; esac
    if [ "$status" = 0 ]; then
        stays_up "$seconds" && { say "service $said"; return; }
        said="the service does not stay up, see: journalctl -u @@{APPLICATION}"
    fi
    back=$(named previous)
    [ "$updated" = 1 ] && [ -e "$soft/$back/.complete" ] || { say "left $said"; return; }
    now=$(named current)
    point "$soft" current "$back"
    point "$soft" previous "$now"
    settle "$soft"
    as_root systemctl restart @@{APPLICATION}
    fail softdied "$said"
}

doctor() {
    "$soft/current/bin/@@{APPLICATION}" doctor 2>&1 | while IFS= read -r line; do
        say "doctor $line"
    done
}

undo() {
    now=$(named current)
    back=$(named previous)
    [ -n "$back" ] && [ "$back" != "$now" ] && [ -e "$soft/$back/.complete" ] || fail nosoftware
    if [ "$1" = 0 ]; then
        lock "$soft"
        point "$soft" current "$back"
        step switched
        point "$soft" previous "$now"
        settle "$soft"
        unlock
        [ ! -f "$unit" ] || as_root systemctl restart @@{APPLICATION} ||
            say "left sudo systemctl restart @@{APPLICATION}"
    fi
    say "switched $now"
    say "current $back"
}

uninstall() {
    [ -f "$unit" ] && say "goes $unit"
    for place in "$soft" "$root" "$config"; do [ -e "$place" ] && say "goes $place"; done
    case $(readlink "$handy") in "$soft/current") say "goes $handy" ;; esac
    count=0
    for file in "$root"/people/*.npz; do [ -f "$file" ] && count=$((count + 1)); done
    say "people $count"
    [ "$1" = 1 ] && return
    if [ -f "$unit" ]; then
        said=$("$soft/current/bin/python" -m edge.cli.main service --uninstall 2>&1) ||
            fail unit "$(last_of "$said")"
    fi
    step stopped
    case $(readlink "$handy") in "$soft/current") rm -f "$handy" ;; esac
    rm -f "$soft/current"
    rm -rf "$soft" "$root" "$config"
    rmdir "${soft%/*}" "${root%/*}" "${config%/*}" "$HOME/.local" 2>/dev/null
    return 0
}

status() {
    say "os $( (. /etc/os-release && echo "${VERSION_CODENAME:-$ID}") 2>/dev/null)"
    [ -r /proc/device-tree/model ] && say "model $(tr -cd "[:print:]" </proc/device-tree/model)"
    say "software $(named current)"
    place=$(readlink "$root/@@{CURRENT}") && say "bundle ${place##*/}"
    count=0
    for file in "$root"/people/*.npz; do [ -f "$file" ] && count=$((count + 1)); done
    say "people $count"
    free_space "$HOME"
    say "time $(date +%s)"
    heat=$(cat /sys/class/thermal/thermal_zone0/temp 2>/dev/null) && say "heat $heat"
    if command -v systemctl >/dev/null 2>&1; then
        said=$(systemctl is-active @@{APPLICATION} 2>/dev/null)
        say "service ${said:-unknown}"
    fi
}

verb=$1
shift
case $verb in
facts | doctor) "$verb" ;;
build | service | undo | uninstall | status) "$verb" "$@" ;;
esac
say done
"""


def setup_script() -> str:
    """The whole script; its first argument is what to do, see `command`."""
    return script(_SCRIPT)


def command(verb: str, *arguments: object) -> str:
    """The command line for ssh.

    `facts`, `build NAME SHA256 BYTES SITE OFFLINE WHEEL ALSO` (a tar on standard input), `service
    WATCH UPDATED [WORDS]`, `doctor`, `undo DRY`, `uninstall DRY`, `status`.
    """
    return command_of(setup_script(), verb, *arguments)
