# Sourced by the scripts. Makes .venv the first time, and again when pyproject.toml changes;
# later calls cost one checksum. Everything it says goes to stderr.

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd -P)
venv=$root/.venv

say() {
    printf 'goprobe: %s\n' "$*" >&2
}

die() {
    say "$1"
    shift
    for hint in "$@"; do printf '  %s\n' "$hint" >&2; done
    exit 3
}

# ensure_venv KIND: "user" is what it takes to run goprobe, "dev" to work on it as well.
ensure_venv() {
    sum="$(cksum <"$root/pyproject.toml") $root"
    is_ready "$1" && return
    mkdir -p "$venv" || die "cannot make $venv"
    if command -v flock >/dev/null; then
        exec 9>"$venv/.lock"
        flock 9
        is_ready "$1" && return # somebody else made it while we waited
    fi
    say "setting up $venv (this once; it takes a minute or two)"
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' >/dev/null 2>&1 || make_venv
    install_project "$(extras "$1")"
    printf '%s [%s]\n' "$sum" "$(extras "$1")" >"$venv/.ready-$1"
    exec 9>&-
}

# What it takes to run goprobe is part of what it takes to work on it.
is_ready() {
    for kind in "$1" dev; do
        found=
        [ -r "$venv/.ready-$kind" ] && read -r found <"$venv/.ready-$kind"
        # Whatever is or is not in the environment by now: what was set up stays as it is.
        [ "${found% \[*}" = "$sum" ] && return 0
    done
    return 1
}

# The PyPI packages of Go and GDB are installed where the machine has none; numba, which compiles
# what works on large heaps, wherever PyPI has it.
extras() {
    list=fast,explore
    [ "$1" = dev ] && list=dev,fast,explore
    if ! { has_go && has_gdb; }; then list=$list,toolchain; fi
    printf '%s' "$list"
}

has_go() { [ -n "${GOPROBE_GO:-}" ] || command -v go >/dev/null; }
has_gdb() { [ -n "${GOPROBE_GDB:-}" ] || command -v gdb >/dev/null; }

make_venv() {
    if command -v uv >/dev/null; then
        uv venv --quiet --seed --allow-existing --python '>=3.11' "$venv" >&2 && return
    fi
    find_python
    log=$(mktemp)
    if "$python" -m venv --clear "$venv" >"$log" 2>&1; then
        rm -f "$log"
        return
    fi
    cat "$log" >&2
    rm -f "$log"
    die "$python cannot make a virtual environment" \
        "apt-get install python3-venv, or install uv (https://docs.astral.sh/uv/)"
}

find_python() {
    newest=
    for name in "${GOPROBE_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$name" ] && python=$(command -v "$name") || continue
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && return
        newest=${newest:-"Python $version ($python)"}
    done
    die "goprobe needs Python 3.11 or newer, and there is ${newest:-no Python}" \
        "apt-get install python3.11 python3.11-venv, or install uv (https://docs.astral.sh/uv/)"
}

install_project() {
    log=$venv/setup.log
    pip_install "$1" && return
    if pip_install "$(without fast "$1")"; then
        say "PyPI has no numba for this Python and machine; large heaps will take longer"
        return
    fi
    bare=$(without fast "$(without toolchain "$1")")
    for left in "$(without toolchain "$1")" "$bare" "$(without explore "$bare")"; do
        if [ "$left" != "$1" ] && pip_install "$left"; then
            say "PyPI has no Go or no GDB for this Python and machine; install them yourself"
            return
        fi
    done
    tail -n 20 "$log" >&2
    die "cannot install goprobe into $venv; all of it is in $log"
}

# without EXTRA LIST: the list, without it.
without() (
    IFS=,
    left=
    for extra in $2; do
        [ "$extra" = "$1" ] || left=${left:+$left,}$extra
    done
    printf '%s' "$left"
)

pip_install() {
    (cd "$root" && "$venv/bin/python" -m pip install --disable-pip-version-check --quiet \
        --editable ".${1:+[$1]}") >>"$log" 2>&1 </dev/null
}
