#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - gamp, Go and Tokio side by side: medians, ratios, bars.

    bench/run.py [--bin DIR] [--rounds N] [--full] [program[:word]]...

Runs each program and its twins in Go and Tokio alternately, so that all meet
the same neighbours on the machine, and prints the median of every figure over
the rounds.  `yield:g=100` runs only the rows whose name contains g=100.  A
figure that has a bar is marked: ok, or MISS.  Exit status 1 if a program
failed (a missed bar is no failure: the machine may be busy), 2 if called
wrongly.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# Which program has a twin in bench/go, which one also in bench/tokio.
GO = ["go"]
BOTH = ["go", "tokio"]
PROGRAMS = {
    "yield": GO, "spawn": GO, "sleep": BOTH, "parked": GO,
    "ready_latency": GO, "stall": GO, "world": GO,
    "chan": BOTH, "select": BOTH, "sync": BOTH, "skynet": BOTH, "ring": BOTH,
    "fib": BOTH, "after": BOTH,
    "timers": [], "baton": [], "idle_conns": [], "child": [], "rcu": [],
}

# Row (a regular expression), unit, limit.  The files say where it is from.
# cpu-ns/op stands in for ns/op with one P: the same, without the neighbours.
BARS = [
    (r"Yield/.*/procs=1", "cpu-ns/op", 20),
    (r"Spawn/batch=\d{3,}/procs=1", "cpu-ns/op", 60),
    (r"Spawn/batch=\d{3,}/procs=2", "ns/op", 60),
    (r"SleepLate/d=10us", "late-p50-ns", 100e3),
    (r"Sleepers/.*", "cpu-s", 4.9),
    (r"Parked", "B/g", 4.3 * 1024),
    (r"Parked", "create-s", 3),
    (r"Parked", "MiB-left", 20),
    (r"ReadyLatency/.*", "p99-ns", 5e6),
    (r"ReadyLatency/.*", "sleep-p99-ns", 5e6),
    (r"Stall/readers=64/hogs=4/.*", "p50-ns", 0.2e6),
    (r"Stall/readers=64/hogs=4/.*", "p99-ns", 5e6),
    (r"Stall/.*/hogs=1000/.*", "p50-ns", 20e6),
    (r"Stall/.*/hogs=1000/.*", "spread", 2),
    (r"Stall/.*/calls=1000/.*", "p50-ns", 0.1e6),
    (r"StallChain/.*", "max-ns", 20e6),
    (r"StallWake/.*", "p50-ns", 15e3),
    (r"World/parked=100000/.*", "stop-p99-ns", 1e6),
    (r"IdleConns/wait", "B/conn", 5 * 1024),
    (r"IdleConns/wait", "B/conn-used", 5 * 1024),
    (r"IdleConns/when", "B/conn", 600),
    (r"IdleConns/when", "B/conn-used", 600),
    (r"Deadline/(later|earlier)/.*", "cpu-ns/op", 58),
    (r"Deadline/set\+clear/.*", "cpu-ns/op", 235),
]

# These are held against the others in the same run: with one P at most this
# part of Go's time, with two of the better one's of Go and Tokio.  The time is
# cpu-ns/op with one P, as above, and ns/op with two; of those that sleep it
# is always cpu-ns/op.
GOAL = re.compile(r"(Chan(Round|Stream)|Select(Round|Default)|TryRecv|Mutex|"
                  r"CondRound|Skynet|Ring|Fib|Timer|Sleepers)(/.*)?"
                  r"/procs=([12])")
ONE_P, TWO_P = 0.5, 0.8

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
    except OSError as e:
        print(f"run.py: {e}", file=sys.stderr)
        return {}, False
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


def build_go(bin_dir):
    """The Go program, or None."""
    if not shutil.which("go"):
        print("run.py: no go here: no figures of Go", file=sys.stderr)
        return None
    path = os.path.join(bin_dir, "go-twin")
    r = subprocess.run(["go", "build", "-o", path, "."],
                       cwd=os.path.join(HERE, "go"))
    return path if r.returncode == 0 else None


def build_tokio(bin_dir):
    """The Tokio program, made of Debian's crates, or None."""
    if not shutil.which("cargo"):
        print("run.py: no cargo here: no figures of Tokio", file=sys.stderr)
        return None
    source = os.path.join(HERE, "tokio")
    try:
        # A newer cargo may have left one that this one cannot read.
        os.unlink(os.path.join(source, "Cargo.lock"))
    except FileNotFoundError:
        pass
    target = os.path.join(bin_dir, "tokio-twin")
    r = subprocess.run(["cargo", "build", "--release", "--offline", "--quiet",
                        "--target-dir", target], cwd=source)
    if r.returncode != 0:
        print("run.py: cargo cannot build bench/tokio (is librust-tokio-dev "
              "installed?): no figures of Tokio", file=sys.stderr)
        return None
    return os.path.join(target, "release", "twin")


def goal(row, unit, go, tokio):
    """The limit that comes from the others' time, or None."""
    m = GOAL.fullmatch(row)
    if not m:
        return None
    one = m.group(5) == "1"
    if unit != ("cpu-ns/op" if one or m.group(1) == "Sleepers" else "ns/op"):
        return None
    if one:
        return go and ONE_P * go
    there = [v for v in (go, tokio) if v]
    return TWO_P * min(there) if there else None


def bar(row, unit, go, tokio):
    for pattern, u, limit in BARS:
        if u == unit and re.fullmatch(pattern, row):
            return limit
    return goal(row, unit, go, tokio)


def number(v):
    if v is None:
        return "-"
    return f"{v:.1f}" if v < 1000 else f"{v:.0f}"


def ratio(mine, other):
    return f"{mine / other:.2f}" if mine is not None and other else "-"


def neighbours(figures):
    """Wall time over processor time where nothing but others makes them
    differ, at the median; None if there is no such row."""
    v = []
    for f in figures.values():
        for row, unit in f:
            m = GOAL.fullmatch(row)
            if unit == "ns/op" and m and m.group(5) == "1" and \
                    m.group(1) != "Sleepers":
                v += [wall / cpu for wall, cpu in
                      zip(f[row, unit], f[row, "cpu-ns/op"]) if cpu > 0]
    return statistics.median(v) if v else None


def table(figures):
    """Figures of gamp, go, tokio: {(row, unit): [values]} of each."""
    print(f"{'row':<40} {'unit':<15} {'gamp':>10} {'go':>10} {'tokio':>10} "
          f"{'gamp/go':>8} {'gamp/tok':>8} {'bar':>9}")
    count = {" ok": 0, " MISS": 0}
    for row, unit in dict.fromkeys(k for f in figures.values() for k in f):
        mine, go, tokio = (
            statistics.median(f[row, unit]) if (row, unit) in f else None
            for f in figures.values())
        limit = bar(row, unit, go, tokio)
        verdict = ""
        if limit is not None and mine is not None:
            verdict = " ok" if mine <= limit else " MISS"
            count[verdict] += 1
        print(f"{row:<40} {unit:<15} {number(mine):>10} {number(go):>10} "
              f"{number(tokio):>10} {ratio(mine, go):>8} "
              f"{ratio(mine, tokio):>8} {number(limit):>9}{verdict}")
    print(f"bars: {count[' ok']} ok, {count[' MISS']} missed")
    busy = neighbours(figures)
    if busy:
        print(f"neighbours: with one P an operation took {busy:.2f} times its "
              "processor time; far from 1, distrust ns/op")


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--bin", default=os.path.join(
        HERE, "..", "build", "release", "bench"), help="the built programs")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--limit", type=int, default=300,
                   help="seconds that one program may take")
    p.add_argument("--full", action="store_true",
                   help="each program's own run time and number of rows")
    for language in ("gamp", "go", "tokio"):
        p.add_argument(f"--no-{language}", action="store_true")
    p.add_argument("program", nargs="*", default=list(PROGRAMS))
    a = p.parse_args()
    for program in a.program:
        if program.split(":")[0] not in PROGRAMS:
            p.error(f"no such program: {program}")
    return a


def commands(a):
    """How to call a program in each language that is there."""
    bin_dir = os.path.abspath(a.bin)
    wanted = {t for p in a.program for t in PROGRAMS[p.split(":")[0]]}
    out = {}
    if not a.no_gamp:
        out["gamp"] = lambda program: [os.path.join(bin_dir, program)]
    for language, off, build in (("go", a.no_go, build_go),
                                 ("tokio", a.no_tokio, build_tokio)):
        twin = build(bin_dir) if language in wanted and not off else None
        if twin:
            out[language] = lambda program, twin=twin: [twin, program]
    return out


def main():
    a = arguments()
    env = dict(os.environ)
    if not a.full:
        for k, v in QUICK.items():
            env.setdefault(k, v)
    call = commands(a)
    figures, good = {"gamp": {}, "go": {}, "tokio": {}}, True
    for spec in a.program:
        program, _, word = spec.partition(":")
        for _ in range(a.rounds):
            for language in ["gamp"] + PROGRAMS[program]:
                if language not in call:
                    continue
                values, ok = run(call[language](program) +
                                 ([word] if word else []), env, a.limit)
                good = good and ok
                merge(figures[language], values)
    table(figures)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
