#!/bin/sh
# SPDX-License-Identifier: MIT
# setup.sh - installs what building, testing and measuring need, on Debian.
set -eu

packages="gcc g++ libc6-dev cmake make python3 pkg-config
	liburcu-dev libhwloc-dev libcmocka-dev relacy-dev
	libhttp-parser-dev wrk strace clang"

if ! command -v dpkg-query >/dev/null; then
	echo "setup.sh: not a Debian system; what is needed:" $packages >&2
	exit 1
fi

installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = \
	    installed ]
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
