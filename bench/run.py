#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - gamp and Go side by side: medians, ratio, bar.

    bench/run.py [--bin DIR] [--rounds N] [--full] [program[:word]]...

Runs each program and its twin in Go alternately, so that both meet the same
neighbours on the machine, and prints the median of every figure over the
rounds.  `yield:g=100` runs only the rows whose name contains g=100.  A figure
that has a bar is marked: ok, or MISS.  Exit status 1 if a program failed (a
missed bar is no failure: the machine may be busy), 2 if called wrongly.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# Those with a twin in bench/go, and those without.
TWINS = ["yield", "spawn", "sleep", "parked", "ready_latency"]
ALONE = ["timers", "baton", "idle_conns"]

# Row (a regular expression), unit, limit.  The files say where it is from.
# cpu-ns/op stands in for ns/op with one P: the same, without the neighbours.
BARS = [
    (r"Yield/.*/procs=1", "cpu-ns/op", 20),
    (r"Spawn/batch=\d{3,}/procs=1", "cpu-ns/op", 60),
    (r"Spawn/batch=\d{3,}/procs=2", "ns/op", 60),
    (r"SleepLate/d=10us", "late-p50-ns", 100e3),
    (r"Sleepers", "cpu-s", 4.9),
    (r"Parked", "B/g", 4.3 * 1024),
    (r"Parked", "create-s", 3),
    (r"Parked", "MiB-left", 20),
    (r"ReadyLatency/.*", "p99-ns", 5e6),
    (r"ReadyLatency/.*", "sleep-p99-ns", 5e6),
    (r"IdleConns/wait", "B/conn", 5 * 1024),
    (r"IdleConns/wait", "B/conn-used", 5 * 1024),
    (r"IdleConns/when", "B/conn", 600),
    (r"IdleConns/when", "B/conn-used", 600),
    (r"Deadline/(later|earlier)/.*", "cpu-ns/op", 58),
    (r"Deadline/set\+clear/.*", "cpu-ns/op", 235),
]

# Told by the table of a normal run; --full runs what each program defaults to.
QUICK = {"BENCH_NS": "100000000", "BENCH_COUNT": "1", "BENCH_ROUNDS": "100000"}

LINE = re.compile(r"Benchmark(\S+)\t\s*(\d+)\t(.*)")


def parse(text):
    """{(row, unit): [values]} of lines in Go's format."""
    out = {}
    for line in text.splitlines():
        m = LINE.match(line)
        if not m:
            continue
        for field in m.group(3).split("\t"):
            value, unit = field.split()
            out.setdefault((m.group(1), unit), []).append(float(value))
    return out


def run(argv, env, limit):
    try:
        p = subprocess.run(argv, env=env, timeout=limit, text=True,
                           stdout=subprocess.PIPE)
    except subprocess.TimeoutExpired:
        print(f"run.py: {' '.join(argv)}: no end after {limit} s",
              file=sys.stderr)
        return {}, False
    if p.returncode != 0:
        print(f"run.py: {' '.join(argv)}: status {p.returncode}",
              file=sys.stderr)
    return parse(p.stdout), p.returncode == 0


def merge(into, values):
    for key, v in values.items():
        into.setdefault(key, []).extend(v)


def build_twin(path):
    """The Go program, or None."""
    if not shutil.which("go"):
        print("run.py: no go here: gamp alone", file=sys.stderr)
        return None
    r = subprocess.run(["go", "build", "-o", path, "."],
                       cwd=os.path.join(HERE, "go"))
    return path if r.returncode == 0 else None


def bar(row, unit):
    for pattern, u, limit in BARS:
        if u == unit and re.fullmatch(pattern, row):
            return limit
    return None


def number(v):
    if v is None:
        return "-"
    return f"{v:.1f}" if v < 1000 else f"{v:.0f}"


def table(ours, theirs):
    print(f"{'row':<40} {'unit':<15} {'gamp':>10} {'go':>10} "
          f"{'gamp/go':>8} {'bar':>9}")
    for row, unit in ours:
        mine = statistics.median(ours[row, unit])
        go = theirs.get((row, unit))
        go = statistics.median(go) if go else None
        limit = bar(row, unit)
        ratio = f"{mine / go:.2f}" if go else "-"
        verdict = "" if limit is None else " ok" if mine <= limit else " MISS"
        print(f"{row:<40} {unit:<15} {number(mine):>10} {number(go):>10} "
              f"{ratio:>8} {number(limit):>9}{verdict}")


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--bin", default=os.path.join(
        HERE, "..", "build", "release", "bench"), help="the built programs")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--limit", type=int, default=300,
                   help="seconds that one program may take")
    p.add_argument("--full", action="store_true",
                   help="each program's own run time and number of rows")
    p.add_argument("--no-go", action="store_true")
    p.add_argument("program", nargs="*", default=TWINS + ALONE)
    a = p.parse_args()
    for program in a.program:
        if program.split(":")[0] not in TWINS + ALONE:
            p.error(f"no such program: {program}")
    return a


def main():
    a = arguments()
    env = dict(os.environ)
    if not a.full:
        for k, v in QUICK.items():
            env.setdefault(k, v)
    twin = None
    if not a.no_go and any(p.split(":")[0] in TWINS for p in a.program):
        twin = build_twin(os.path.join(os.path.abspath(a.bin), "go-twin"))
    ours, theirs, good = {}, {}, True
    for spec in a.program:
        program, _, word = spec.partition(":")
        words = [word] if word else []
        for _ in range(a.rounds):
            values, ok = run([os.path.join(a.bin, program)] + words, env,
                             a.limit)
            good = good and ok
            merge(ours, values)
            if twin and program in TWINS:
                values, ok = run([twin, program] + words, env, a.limit)
                good = good and ok
                merge(theirs, values)
    table(ours, theirs)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
