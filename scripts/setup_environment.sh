#!/usr/bin/env bash
# Puts a Python that has this project's dependencies first on PATH.
#
#   source scripts/setup_environment.sh base    what the commands need
#   source scripts/setup_environment.sh dev     the checks and the tests as well
#
# An active virtual environment that has everything is used as it is. Otherwise .venv in the repository root is
# made once, and brought up to date when pyproject.toml or constraints.txt changes. Run instead of sourced, it
# only makes .venv. The argument is required: a sourced file without one would see its caller's arguments.

# One line: the sum of the files .venv was made from, "base", "dev" or "unfinished", and the root it was made in.
_stamp=".venv/installed"

# Print why the Python $1 cannot make .venv, or nothing when it can.
_why_unsuitable() {
    "$1" - "$1" "${SIM2REAL_ALLOW_SOURCE_BUILD:-}" 2>/dev/null <<'PYTHON' || echo "$1 does not run"
import importlib.util
import sys

name, allow_source_build = sys.argv[1:]
found = "%s is Python %d.%d" % (name, *sys.version_info[:2])
if sys.version_info < (3, 11):
    print(found + ", expected 3.11")
elif sys.platform == "linux" and sys.version_info >= (3, 12) and allow_source_build != "1":
    print(found + ", and PyBullet has Linux wheels only up to CPython 3.11")
elif importlib.util.find_spec("ensurepip") is None:
    print(found + " without ensurepip (on Debian and Ubuntu: install python3.11-venv)")
PYTHON
}

# Print the first suitable Python, or say on stderr what is wrong with each and what to do.
_find_python() {
    local name reason reasons=""
    for name in python3.11 python3; do
        command -v "$name" >/dev/null || continue
        reason="$(_why_unsuitable "$name")"
        if [[ -z "$reason" ]]; then
            echo "$name"
            return 0
        fi
        reasons+="${reasons:+; }$reason"
    done
    {
        echo "sim2real: no suitable Python: ${reasons:-none found on PATH}."
        echo "Install Python 3.11, or, with a C++ compiler to build PyBullet and a newer Python, set" \
            "SIM2REAL_ALLOW_SOURCE_BUILD=1, and run this again."
    } >&2
    return 1
}

# Print what the Python $1 lacks of pyproject.toml's requirements for $2 (base or dev), or nothing.
_first_missing() {
    "$1" - "$2" 2>/dev/null <<'PYTHON' || echo "this project's dependencies"
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
lines = [*project["dependencies"], *project["optional-dependencies"].get(sys.argv[1], [])]
for requirement in map(Requirement, lines):
    try:
        fits = requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        fits = False
    if not fits:
        print(requirement)
        break
PYTHON
}

# Whether .venv has a Python, and is where it was made: a moved one has stale paths in its scripts.
_venv_runs() {
    .venv/bin/python -c "" 2>/dev/null && { [[ ! -f "$_stamp" ]] || [[ "$(<"$_stamp")" == *" $PWD" ]]; }
}

# Whether .venv holds what $1 (base or dev) needs, $2 being the sum of what it should be made from.
_venv_is_complete() {
    _venv_runs || return 1
    if [[ ! -f "$_stamp" ]]; then  # not made by this script
        [[ -z "$(_first_missing .venv/bin/python "$1")" ]]
        return
    fi
    case "$(<"$_stamp")" in
        "$2 $1 $PWD" | "$2 dev $PWD") return 0 ;;
        *) return 1 ;;
    esac
}

# Install into .venv what $1 (base or dev) needs, unless it is there.
_prepare_venv() {
    local kind="$1" sum python="" reason target="." log=".venv/install.log"
    sum="$(cat pyproject.toml constraints.txt | cksum)" || return 1
    if _venv_is_complete "$kind" "$sum"; then return 0; fi

    if _venv_runs; then
        reason="$(_why_unsuitable .venv/bin/python)"
        if [[ -n "$reason" ]]; then
            echo "sim2real: $reason. Remove the folder .venv and run this again." >&2
            return 1
        fi
    else
        python="$(_find_python)" || return 1
    fi
    echo "setting up .venv (about two minutes, once)" >&2
    if [[ -n "$python" ]]; then
        "$python" -m venv --clear .venv >&2 || return 1
    elif ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        .venv/bin/python -m ensurepip >/dev/null || return 1
    fi
    echo "$sum unfinished $PWD" >"$_stamp"
    if [[ "$kind" == dev ]]; then target=".[dev]"; fi
    if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        -c constraints.txt -e "$target" >"$log" 2>&1; then
        cat "$log" >&2
        echo "sim2real: the installation into .venv failed; pip's output is above." >&2
        if grep -qiE "build.*pybullet" "$log"; then
            echo "PyBullet has Linux wheels for x86-64 and CPython 3.11; elsewhere pip needs a C++ compiler." >&2
        fi
        return 1
    fi
    echo "$sum $kind $PWD" >"$_stamp"
}

_set_up_environment() {
    local kind="${1:-}" root missing
    if [[ "$kind" != base && "$kind" != dev ]]; then
        echo "usage: source scripts/setup_environment.sh {base,dev}, got '${kind}'" >&2
        return 2
    fi
    root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)" && cd "$root" || return 1
    if [[ -n "${VIRTUAL_ENV:-}" && ! "$VIRTUAL_ENV" -ef "$root/.venv" ]]; then
        missing="$(_first_missing "$VIRTUAL_ENV/bin/python" "$kind")"
        if [[ -z "$missing" ]]; then
            export PATH="$VIRTUAL_ENV/bin:$PATH"
            return 0
        fi
        echo "the active virtual environment lacks $missing; using .venv" >&2
    fi
    _prepare_venv "$kind" || return 1
    export VIRTUAL_ENV="$root/.venv"
    export PATH="$VIRTUAL_ENV/bin:$PATH"
}

_set_up_environment "${1:-}"
