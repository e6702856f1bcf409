#!/bin/sh
# SPDX-License-Identifier: MIT
# setup.sh - installs what building, testing and measuring need, on Debian.
set -eu

packages="gcc g++ libc6-dev cmake make python3 pkg-config
	liburcu-dev libhwloc-dev libcmocka-dev relacy-dev
	libhttp-parser-dev wrk strace clang
	libclang-rt-14-dev gcc-aarch64-linux-gnu g++-aarch64-linux-gnu
	libc6-dev-arm64-cross qemu-user gdb
	libuv1-dev rustc"

if ! command -v dpkg-query >/dev/null; then
	echo "setup.sh: not a Debian system; what is needed:" $packages >&2
	exit 1
fi

# A line for each architecture that it is installed for.
installed() {
	dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null |
	    grep -qx installed
}

missing=
for p in $packages; do
	installed "$p" || missing="$missing $p"
done
if [ -z "$missing" ]; then
	echo "setup.sh: all packages are installed"
	exit 0
fi

root=
if [ "$(id -u)" -ne 0 ]; then
	root=sudo
	if ! command -v sudo >/dev/null; then
		echo "setup.sh: run as root: apt-get install$missing" >&2
		exit 1
	fi
fi
echo "setup.sh: installing$missing"
$root apt-get update -q
$root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $missing
