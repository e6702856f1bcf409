#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh - measures the HTTP server on goroutines beside a plain epoll loop.
#
# Builds the release preset (installing packages where they are missing),
# then lets wrk ask examples/http and bench/epoll_http in turns, and prints
# the medians.  Ends with status 1 if a single answer was missing or wrong.
#
#	DEMO_SECONDS=5		of each run
#	DEMO_ROUNDS=3		runs of each server with each count
#	DEMO_CONNECTIONS="64 256"
#	DEMO_PROCS=N		Ps or threads of the servers; all processors
#	DEMO_THREADS=2		of wrk
#	DEMO_SCRIPT=FILE	a Lua script for wrk (pipelining, say)
#	DEMO_BIN=DIR		measure the programs in DIR, build nothing
set -eu
cd "$(dirname "$0")/.."

seconds=${DEMO_SECONDS:-5}
rounds=${DEMO_ROUNDS:-3}
counts=${DEMO_CONNECTIONS:-64 256}
procs=${DEMO_PROCS:-$(nproc)}
threads=${DEMO_THREADS:-2}
bin=${DEMO_BIN:-build/release}

server= client= # the processes that run, to be ended whatever happens
tmp=$(mktemp -d)

finish() {
	status=$?
	trap - EXIT
	for pid in $server $client; do
		kill -KILL "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	rm -rf "$tmp"
	exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	echo "demo.sh: $*" >&2
	exit 1
}

build() {
	./tools/setup.sh
	cmake --preset release >"$tmp/log" 2>&1 &&
	    cmake --build --preset release -j"$(nproc)" >>"$tmp/log" 2>&1 || {
		cat "$tmp/log" >&2
		fail "the build failed"
	}
}

# start PROGRAM: sets $server and $addr
start() {
	: >"$tmp/out" # nothing of the one before
	"$bin/$1" -a 127.0.0.1:0 -p "$procs" >"$tmp/out" &
	server=$!
	tries=0
	until addr=$(sed -n 's/^listening on //p' "$tmp/out") && [ "$addr" ]
	do
		tries=$((tries + 1))
		kill -0 "$server" 2>/dev/null && [ $tries -lt 200 ] ||
		    fail "$1 does not listen"
		sleep 0.05
	done
}

# stop PROGRAM: as an operator would
stop() {
	kill -TERM "$server"
	wait "$server" || fail "$1 ended with status $?"
	server=
}

# Clock ticks of all threads of the server, user and system
ticks() {
	awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$server/stat"
}

# measure NAME PROGRAM CONNECTIONS: appends a line to $tmp/runs
measure() {
	start "$2"
	set -- "$@" "$(ticks)"
	wrk -t"$threads" -c"$3" -d"${seconds}s" --latency \
	    ${DEMO_SCRIPT:+-s "$DEMO_SCRIPT"} "http://$addr/" \
	    >"$tmp/wrk" 2>&1 &
	client=$!
	wait "$client" || {
		cat "$tmp/wrk" >&2
		fail "wrk failed"
	}
	client=
	set -- "$@" "$(ticks)"
	stop "$2"
	awk -v name="$1" -v conns="$3" -v ticks=$(($5 - $4)) \
	    -v hz="$(getconf CLK_TCK)" '
		function us(s) {
			if (s ~ /us$/) return s + 0
			if (s ~ /ms$/) return s * 1e3
			return s * 1e6
		}
		$1 == "50%" { p50 = us($2) }
		$1 == "99%" { p99 = us($2) }
		/ requests in / { n = $1 }
		/^Requests\/sec:/ { rate = $2 }
		/Socket errors:/ { errors += $4 + $6 + $8 + $10 }
		/Non-2xx or 3xx/ { errors += $NF }
		END {
			if (!n) exit 1
			print name, conns, rate, p50, p99,
			    ticks / hz * 1e6 / n, n, errors + 0
		}' "$tmp/wrk" >>"$tmp/runs" || {
		cat "$tmp/wrk" >&2
		fail "no requests were answered by $1"
	}
}

report() {
	sort -k2n -k1r "$tmp/runs" | awk '
		function median(list,    v, n, i, j, t) {
			n = split(list, v)
			for (i = 2; i <= n; i++)
				for (j = i; j > 1 && v[j] + 0 < v[j-1] + 0; j--) {
					t = v[j]; v[j] = v[j-1]; v[j-1] = t
				}
			return n % 2 ? v[(n + 1) / 2] : (v[n/2] + v[n/2+1]) / 2
		}
		function show() {
			if (key == "") return
			r = median(rate); c = median(cpu)
			printf "%-11s %11d %11.0f %9.0f %9.0f %11.2f %7d\n", name,
			    conns, r, median(p50), median(p99), c, wrong
			if (conns == conns0)
				printf "%-11s %11s %11.2f %9s %9s %11.2f\n",
				    "gamp/epoll", "", name == "gamp" ? r / r0 : r0 / r,
				    "", "", name == "gamp" ? c / c0 : c0 / c
			conns0 = conns; r0 = r; c0 = c
			rate = p50 = p99 = cpu = ""; wrong = 0
		}
		BEGIN {
			printf "%-11s %11s %11s %9s %9s %11s %7s\n", "server",
			    "connections", "requests/s", "p50 us", "p99 us",
			    "CPU us/req", "errors"
		}
		$1 " " $2 != key {
			show(); key = $1 " " $2; name = $1; conns = $2
		}
		{
			rate = rate " " $3; p50 = p50 " " $4; p99 = p99 " " $5
			cpu = cpu " " $6; total += $7; wrong += $8; errors += $8
		}
		END {
			show()
			printf "%s: %d requests, %d errors\n",
			    errors ? "FAILED" : "ok", total, errors
			exit errors > 0
		}'
}

[ -n "${DEMO_BIN:-}" ] || build
command -v wrk >/dev/null || fail "wrk is not installed: tools/setup.sh"
[ -x "$bin/examples/http" ] && [ -x "$bin/bench/epoll_http" ] ||
    fail "no examples/http and bench/epoll_http in $bin"
echo "$rounds rounds of $seconds s, $procs procs or threads," \
    "wrk -t$threads, $(nproc) processors"
round=0
while [ "$round" -lt "$rounds" ]; do
	for count in $counts; do
		measure gamp examples/http "$count"
		measure epoll bench/epoll_http "$count"
	done
	round=$((round + 1))
done
report
