#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_unwind.py - backtraces of goroutines end at their entry.

usage: test_unwind.py [--no-gdb] UNWIND

UNWIND is the program of unwind.c.  First it looks at itself; then gdb looks
at a goroutine that runs.  Exit code 77: no gdb here, and the rest was well.
"""
import re
import shutil
import subprocess
import sys

LIMIT = 200  # seconds; gdb reads symbols slowly


def run(*cmd):
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    return r.returncode, r.stdout


def need(ok, what, said):
    if not ok:
        sys.exit(f"FAIL {what}\n{said}")
    print(f"ok   {what}", flush=True)


def by_itself(prog, depth):
    code, said = run(prog, str(depth))
    need(code == 0 and said.endswith("done\n"),
         f"the unwinder and backtrace(3) end, {depth} deep", said)


def frames(said):
    """The functions of one backtrace, innermost first."""
    return re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?([^ (]+) ?\(", said, re.M)


def by_gdb(prog, depth):
    # Twice: at the start of the goroutine, and after it has moved.
    code, said = run("gdb", "-nx", "-batch", "-ex", "set confirm off",
                     "-ex", "set pagination off", "-ex", "break stop_here",
                     "-ex", f"run {depth}", "-ex", "echo \\n@@1\\n",
                     "-ex", "bt 200", "-ex", "continue",
                     "-ex", "echo \\n@@2\\n", "-ex", "bt 200",
                     "-ex", "echo \\n@@end\\n", "-ex", "kill", prog)
    if "ptrace" in said and "not permitted" in said:
        print("gdb may not trace here")
        sys.exit(77)
    need(code == 0, "gdb runs it", said)
    for mark, end in ("@@1", "@@2"), ("@@2", "@@end"):
        part = said.partition(mark)[2].partition(end)[0]
        names = frames(part)
        need(names and names[0] == "stop_here"
             and names.count("dive") == depth and "start" in names
             and names[-1] in ("rt_ctx_entry", "g_main"),
             f"gdb's backtrace ends at the entry ({mark})", said)
        need(not re.search(r"\?\?|corrupt|Backtrace stopped|"
                           r"Cannot access memory", part),
             f"and ends well ({mark})", said)


def main():
    prog = sys.argv[-1]
    for depth in 1, 10, 60:
        by_itself(prog, depth)
    if "--no-gdb" in sys.argv:
        return 0
    if not shutil.which("gdb"):
        print("no gdb here")
        return 77
    by_gdb(prog, 10)
    return 0


sys.exit(main())
