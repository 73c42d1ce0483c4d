#!/bin/sh
# compile.sh COMPILER VARIANTS: compiles templates.cc next to this and prints a checksum of the object.
set -eu
object=$(mktemp)
trap 'rm -f "$object"' EXIT
"$1" -std=c++17 -O0 "-DVARIANTS=$2" -c -o "$object" "$(dirname "$0")/templates.cc"
sum=$(sha256sum "$object")
echo "checksum ${sum%% *}"
