#!/usr/bin/env bash
# Unpack Debian packages into FOLDER/NAME without installing them. Usage: scripts/fetch_packages.sh FOLDER NAME …
# What is there already stays as it is; a package that was cut off on the way is fetched anew.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: scripts/fetch_packages.sh FOLDER NAME …" >&2; exit 2; }
command -v apt-get >/dev/null || { echo "fetch_packages: needs Debian or Ubuntu (apt-get)" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
temporary=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
cd "$temporary"
for name in "$@"; do
  [ ! -d "$folder/$name" ] || continue
  echo "fetch_packages: $name"
  apt-get download -q "$name" >/dev/null 2>said || {
    echo "fetch_packages: $name: $(tail -n 1 said) (apt-get update first? its suite needs 'main' of Debian 12)" >&2
    exit 2
  }
  dpkg -x "$name"_*.deb unpacked
  mv unpacked "$folder/$name"
  rm -f ./*.deb
done
