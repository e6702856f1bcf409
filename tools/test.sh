#!/bin/sh
# SPDX-License-Identifier: MIT
# test.sh - builds and runs all tests: plain and hard, then under sanitizers.
#
#	tools/test.sh			everything, some fifteen minutes on 2 cores
#	tools/test.sh dev asan		only these presets
set -eu
cd "$(dirname "$0")/.."
./tools/setup.sh

# The last line is the test runner's.  dev comes last: it is the widest.
for preset in ${*:-clang aarch64 asan tsan dev}; do
	echo "== $preset"
	log=$(mktemp)
	if ! { cmake --preset "$preset" &&
	    cmake --build --preset "$preset" -j"$(nproc)"; } >"$log" 2>&1
	then
		cat "$log" >&2
		exit 1
	fi
	if grep -n "warning:" "$log"; then
		echo "test.sh: warnings in $preset" >&2
		exit 1
	fi
	rm -f "$log"
	ctest --preset "$preset"
done
