#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_trace.py - what the program trace writes is a trace.

JSON that opens; slices of one track do not overlap; every goroutine that was
started runs, in the end exits, and is on one track at a time; every arrow has
two ends and points forward; reasons and names are right.
"""
import argparse, collections, decimal, json, os, subprocess, sys, tempfile

REASONS = {"sleep", "read", "write", "fd lock", "send", "receive", "select",
           "mutex", "rwmutex", "cond", "semaphore", "wait group", "barrier",
           "group", "yield", "exit", "blocking", "detached", "preempted",
           "end of trace"}


def must(what, cond):
    if not cond:
        sys.exit(f"test_trace.py: {what}")


def load(path):
    with open(path, "rb") as f:
        text = f.read().decode("utf-8")  # strict
    return json.loads(text, parse_float=decimal.Decimal)


def disjoint(slices, what):
    end = 0
    for e in sorted(slices, key=lambda e: (e["ts"], e["dur"])):
        must(f"{what}: {e} begins before {end}", e["ts"] >= end)
        end = e["ts"] + e["dur"]


def by(events, key):
    out = collections.defaultdict(list)
    for e in events:
        out[key(e)].append(e)
    return out


def arrows(events):
    ends = by((e for e in events if e["ph"] in "sf"), lambda e: e["id"])
    for e in ends.values():
        must(f"an arrow: {e}", [x["ph"] for x in e] == ["s", "f"])
        must(f"an arrow goes back: {e}", e[0]["ts"] <= e[1]["ts"])
    return len(ends)


def spans(events):
    """Goroutines without a P."""
    open_ = {}
    for e in (e for e in events if e["ph"] in "be"):
        if e["ph"] == "b":
            must(f"{e} twice", e["id"] not in open_)
            open_[e["id"]] = e
        else:
            must(f"{e} ends early", open_.pop(e["id"])["ts"] <= e["ts"])
    must(f"not ended: {open_}", not open_)


def check(trace, whole):
    events = trace["traceEvents"]
    slices = [e for e in events if e["ph"] == "X"]
    for e in events:
        must(f"no time: {e}", e["ts"] >= 0 and e.get("dur", 0) >= 0)
    for e in slices:
        must(f"a reason: {e}", e["args"]["left"] in REASONS)
        must(f"a track without a P: {e}", e["tid"] > 0)
    for tid, some in by(slices, lambda e: e["tid"]).items():
        disjoint(some, f"track {tid}")
    ran = by(slices, lambda e: e["args"]["g"])
    for g, some in ran.items():
        disjoint(some, f"goroutine {g}")
        for e in sorted(some, key=lambda e: e["ts"])[:-1]:
            must(f"{g} ran after its exit", e["args"]["left"] != "exit")
    arrows(events)
    spans(events)
    if whole:
        must("something was lost", trace["otherData"]["lost"] == 0)
        started = [e["args"]["g"] for e in events if e["name"] == "go"]
        must("started twice", len(started) == len(set(started)))
        for g in started:
            must(f"{g} was started and never ran", g in ran)
            last = max(ran[g], key=lambda e: e["ts"])
            must(f"{g} has no end", last["args"]["left"] == "exit")
            first = min(ran[g], key=lambda e: e["ts"])
            must(f"{g}: who started it?", "waited_ns" in first["args"])
    return slices


def contents(trace, slices):
    names = collections.Counter(e["name"] for e in slices)
    for name in ("sender", "receiver", "locker", 'a "quoted\\ name" \ufffd\u00e4'):
        must(f"no slice of {name} in {names}", names[name] > 0)
    left = by(slices, lambda e: e["args"]["left"])
    for reason in ("send", "receive", "sleep", "mutex", "yield", "exit"):
        must(f"nobody left by {reason}", reason in left)
    must("sleepers", "sleeper" in {e["name"] for e in left["sleep"]})
    must("lockers", {e["name"] for e in left["mutex"]} == {"locker"})
    points = collections.Counter(
        e["name"] for e in trace["traceEvents"] if e["ph"] == "i")
    must("marks", points['fifty "more"\n'] == 4 and points["inside"] == 10)
    must(f"polls and timers: {points}", points["timers"] and points["poll"])
    must("starts", points["go"] == 209)
    must("arrows", arrows(trace["traceEvents"]) > 100)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    prog = os.path.abspath(ap.parse_args().program)
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "trace.json")

        def run(mode, **env):
            if os.path.exists(path):
                os.unlink(path)
            subprocess.run([prog, mode, path], check=True, timeout=200,
                           env=dict(os.environ, **env))
            return load(path)

        for _ in range(3):
            t = run("whole")
            contents(t, check(t, True))
        t = run("ring")
        must("nothing was lost", t["otherData"]["lost"] > 0)
        s = check(t, False)
        must("nothing is left", len(s) > 50)
        must("names are lost", any(e["name"] == "last" for e in s))
        t = run("storm")
        contents(t, check(t, False))
        t = run("plain", GAMP_DEBUG=f"trace={path}")
        check(t, True)
    print("test_trace.py: all traces are well")


main()
