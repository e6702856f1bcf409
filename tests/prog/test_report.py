#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_report.py - what the runtime says of programs that go wrong.

usage: test_report.py [--watch LIBRARY] REPORT [NAME]

REPORT is the program of report.c.  Its standard error, with what differs from
run to run masked, must match expect/NAME.txt: line by line, where a line of
three dots stands for any number of lines, and <...> in a line for any text.
LIBRARY is that of tools/mutexwatch.c; without it one case is left out.
Goroutines are numbered in the order in which they are mentioned.
"""
import pathlib
import re
import signal
import subprocess
import sys

LIMIT = 400  # seconds
EXPECT = pathlib.Path(__file__).parent / "expect"
SEGV = -signal.SIGSEGV

# name, exit code, standard output, environment, expected report
CASES = [
    ("overflow", SEGV, "", {}, "overflow"),
    ("overflow", SEGV, "", {"GAMP_DEBUG": "guard=mprotect"}, "overflow"),
    ("overflow_printf", SEGV, "", {}, "overflow_printf"),
    ("overflow_getaddrinfo", SEGV, "", {}, "overflow_getaddrinfo"),
    ("overflow_many", SEGV, "", {}, "overflow_many"),
    ("unguarded", 0, "0\n", {}, "nothing"),
    ("unguarded", 0, "0\n", {"GAMP_DEBUG": "guard=mprotect"}, "unguarded"),
    ("overflow_handler", 7, "", {}, "overflow_handler"),
    ("overflow_no_signals", SEGV, "", {}, "nothing"),
    ("fault", SEGV, "", {}, "fault"),
    ("fault_handler", 7, "", {}, "fault_handler"),
    ("deadlock", 1, "-110\n", {}, "deadlock"),
    ("deadlock_chan", 1, "-35\n", {}, "deadlock_chan"),
    ("deadlock_chan_fake", 1, "-35\n", {}, "deadlock_chan"),
    ("left", 1, "-110\n", {}, "left"),
    ("left_quiet", 1, "-110\n", {}, "nothing"),
    ("signal", 0, "went on\n0\n", {}, "signal"),
]


def in_order(said):
    """A dump lists slots, and who gets which depends on the P: main first,
    then by what is said of them."""
    def key(block):
        return '"main"' not in block, re.sub(r"\d+", "", block)

    def sort(m):
        blocks = re.findall(r"^goroutine .*\n(?: .*\n)*", m[0], re.M)
        return "".join(sorted(blocks, key=key))

    return re.sub(r"(?:^goroutine .*\n(?: .*\n)*)+", sort, said, flags=re.M)


def masked(said):
    seen = {}

    def number(m):
        return "goroutine " + seen.setdefault(m[1], f"G{len(seen) + 1}")

    said = re.sub(r"^gamp: hard mode.*\n", "", said, flags=re.M)
    said = re.sub(r"goroutine (\d+)", number, in_order(said))
    said = re.sub(r"\+0x[0-9a-f]+", "", said)
    said = re.sub(r"0x[0-9a-f]+", "ADDRESS", said)
    said = re.sub(r"for \d+\.\d{3} s", "for TIME s", said)
    said = re.sub(r"\d+ bytes of stack", "SIZE bytes of stack", said)
    said = re.sub(r"\.\.\. \d+ frames \.\.\.", "(many frames)", said)
    return said


def pattern(text):
    out = []
    for line in text.splitlines():
        if line.strip() == "...":
            out.append(r"(?:.*\n)*?")
        else:
            out.append("[^\n]*".join(map(re.escape, line.split("<...>")))
                       + "\n")
    return re.compile("".join(out))


def run(prog, name, env):
    p = subprocess.Popen([prog, name], stdin=subprocess.PIPE, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=env)
    said = ""
    if name == "signal":  # it waits until the dump was read
        while not re.search(r"^gamp: \d+ goroutines$", said, re.M):
            line = p.stderr.readline()
            if not line:
                break
            said += line
    out, err = p.communicate("x", LIMIT)
    return p.returncode, out, said + err


def main():
    args, bad = sys.argv[1:], 0
    cases = list(CASES)
    if args[0] == "--watch":
        cases.append(("mutex", 0, "0\n", {"LD_PRELOAD": args[1]}, "mutex"))
        args = args[2:]
    prog, only = args[0], args[1:]
    for name, code, out, env, expect in cases:
        if only and name not in only:
            continue
        got = run(prog, name, env)
        said = masked(got[2])
        text = (EXPECT / f"{expect}.txt").read_text()
        good = (code in (None, got[0]) and out == got[1]
                and pattern(text).fullmatch(said))
        print("ok  " if good else "FAIL", name, *env.values(), flush=True)
        if not good:
            bad += 1
            print(f"exit code {got[0]}, said {got[1]!r}, and\n"
                  f"{said[-5000:]}\nnot {expect}.txt", flush=True)
    return bad != 0


sys.exit(main())
