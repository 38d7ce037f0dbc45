#!/usr/bin/env bash
# Set up .venv and what the system lacks. Usage: scripts/setup.sh run|gui|test|train
#   run   the host alone                            gui    with the visualizer
#   test  all that tests and linters need           train  all that the trainings need
# Does nothing when pyproject.toml has not changed since the last time.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-run}
venv=.venv

say() { echo "setup: $*"; }

case $profile in
  run)  packages=(libportaudio2); target="." ;;
  gui)  packages=(libportaudio2 libegl1 libgl1 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1
                  libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
                  libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1)
        target=".[gui]" ;;
  test) packages=(libportaudio2 jackd2 pulseaudio pulseaudio-utils libasound2-plugins liblo-tools xvfb
                  puredata-core qlcplus iproute2 vamp-examples libchromaprint1 libopenmpt0
                  libegl1 libgl1 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1
                  libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
                  libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1)
        target=".[dev,gui,cluster,hub,demucs,link,fingerprint,similarity]" ;;
  train) packages=(libportaudio2 fluidsynth libfluidsynth3 fluid-soundfont-gm fluidr3mono-gm-soundfont
                   musescore-general-soundfont-small opl3-soundfont timgm6mb-soundfont espeak-ng libopenmpt0)
         target=".[dev,speech]" ;;
  *)    say "unknown profile '$profile' (run, gui, test, train)" >&2; exit 2 ;;
esac

# The web page is tested in Chromium; Ubuntu has it as a snap only, which tests do without.
if [ "$profile" = test ] && grep -qs '^ID=debian' /etc/os-release; then
  packages+=(chromium)
fi

# --- the system: only Debian and Ubuntu are done for the user ---------------------------------------------
system_packages() {
  command -v dpkg-query >/dev/null || return 0
  local missing=() name
  for name in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q "ok installed" || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "missing system packages; install them with: sudo apt-get install -y ${missing[*]}" >&2
    [ "$profile" != test ] || exit 1 # the tests use real programs; the host itself runs without
    return 0
  fi
  say "system packages: ${missing[*]}"
  # jackd2 asks about real-time priority: take its default. Lists may be stale or empty: fetch them once.
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
  "${install[@]}" >/dev/null 2>&1 || { apt-get update -q >/dev/null 2>&1 || true; "${install[@]}" >/dev/null; } || {
    # What really needs one of them says so itself: the host goes on without, at a desk a test is skipped.
    say "could not install: ${missing[*]} (try: apt-get install -y ${missing[*]})" >&2
    # Where the gate runs, nothing is skipped: say so now and not after the whole test run.
    [ "$profile" != test ] || [ -z "${CI:-}" ] || exit 1
  }
}

# --- Python ------------------------------------------------------------------------------------------------
choose_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  say "needs Python 3.11 or newer (set PYTHON=/path/to/python)" >&2
  exit 1
}

# torch is for parity tests of exported models and for training: the CPU build that is pinned here is small;
# an unpinned one may bring gigabytes of CUDA libraries.
torch_pin="torch==2.13.0"

system_packages
stamp="$venv/.setup-$profile"
want=$({ cat pyproject.toml scripts/setup.sh; pwd; } | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -x "$venv/bin/python" ]; then
  exit 0
fi
# What the test profile installed includes the host and the visualizer.
if [ "$profile" != test ] && [ "$profile" != train ] && [ -f "$venv/.setup-test" ] && [ "$(cat "$venv/.setup-test")" = "$want" ]; then
  exit 0
fi

if ! "$venv/bin/python" -c "" 2>/dev/null; then
  python=$(choose_python)
  say "making $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || {
    say "could not make $venv; on Debian and Ubuntu: sudo apt-get install -y python3-venv" >&2
    exit 1
  }
fi
pip=("$venv/bin/python" -m pip --disable-pip-version-check)
say "pip"
"${pip[@]}" install -q --upgrade pip
if [ "$profile" = test ] || [ "$profile" = train ]; then
  say "installing $torch_pin (for training and parity tests)"
  "${pip[@]}" install -q "$torch_pin"
fi
say "installing sidechain: $target"
PYTHONWARNINGS=ignore "${pip[@]}" install -q -e "$target"
echo "$want" >"$stamp"
say "ready"
