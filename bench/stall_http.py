#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stall_http.py - what goroutines that block or compute do to a server.

    bench/stall_http.py [--bin DIR] [--rounds N] [--load READS,LOOPS]

Runs examples/http with two Ps under wrk (64 connections, 3 s), alternately
alone and beside READS goroutines in read(2) of a silent pipe and LOOPS that
compute for ever (64,4), and prints the medians.  Bar: at least half of the
requests, and a 99th percentile below 20 ms.
"""

import argparse
import os
import re
import statistics
import subprocess

UNITS = {"us": 1e-3, "ms": 1, "s": 1e3}


def one(http, load):
    args = [http, "-a", "127.0.0.1:0", "-p", "2"]
    if load:
        args += ["-x", load]
    with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as server:
        addr = server.stdout.readline().split()[-1]
        text = subprocess.run(
            ["wrk", "-t1", "-c64", "-d3", "--latency", f"http://{addr}/"],
            check=True, capture_output=True, text=True).stdout
        server.terminate()
        server.wait()
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    bad = re.search(r"Socket errors.*|Non-2xx.*", text)
    if bad:
        raise SystemExit(bad[0])
    return rate, float(late[1]) * UNITS[late[2]]


def main():
    parser = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument(
        "--bin", default=os.path.join(here, "../build/release/examples"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", default="64,4")
    opt = parser.parse_args()
    http = os.path.join(opt.bin, "http")
    runs = {None: [], opt.load: []}
    for _ in range(opt.rounds):
        for load, results in runs.items():
            results.append(one(http, load))
    rates = []
    for load, results in runs.items():
        rates.append(statistics.median(r for r, _ in results))
        late = statistics.median(p for _, p in results)
        print(f"{'beside ' + load if load else 'alone':14s}"
              f"{rates[-1]:10.0f} requests/s   p99 {late:7.2f} ms")
    print(f"{rates[1] / rates[0]:.2f} of the requests")


if __name__ == "__main__":
    main()
