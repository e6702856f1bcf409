#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_gdb.py - tools/gamp-gdb.py on a process and on a core.

usage: test_gdb.py PARKED SCRIPT

PARKED is the program of parked.c.  First a process with full debug
information; then a copy without it; then a core with 10,000 goroutines, of
which the list must come within seconds.  Exit code 77: no gdb here, or no
cores, and the rest was well.
"""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

LIMIT = 200  # seconds
SECONDS = 15  # of a processor, for the list of MANY
FEW, MANY = 20, 10000


def need(ok, what, said):
    if not ok:
        sys.exit(f"FAIL {what}\n{said[-6000:]}")
    print(f"ok   {what}", flush=True)


def gdb(script, *args, first=(), then=()):
    cmd = ["gdb", "-nx", "-batch", "-ex", "set pagination off",
           "-ex", "set debuginfod enabled off", "-ex", "set width 0"]
    for c in list(first) + [f"source {script}"] + list(then):
        cmd += ["-ex", c]
    r = subprocess.run(cmd + list(args), stdout=subprocess.PIPE, text=True,
                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                       timeout=LIMIT, errors="replace")
    if "ptrace" in r.stdout and "not permitted" in r.stdout:
        print("gdb may not trace here")
        sys.exit(77)
    return r.stdout


def part(said, mark):
    return said.partition(f"@@{mark}\n")[2].partition("@@")[0]


def goroutines(said):
    return re.findall(r"^(\d{6,})( \"\w+\")? (.*)$", said, re.M)


def frames(said):
    return re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?([^ (]+) ?\(", said, re.M)


def ids(said, what):
    return [g[0] for g in goroutines(said) if what in g[2]]


def check_list(said, n, where):
    text = part(said, "list")
    found = goroutines(text)
    need(len(found) == n + 4 and f"{n + 4} goroutines" in text,
         f"all {n + 4} are listed, {where}", said)
    need(len(ids(text, "waiting (receive)")) == n + 1
         and len(ids(text, "waiting (sleep)")) in (1, 2)
         and len(ids(text, "in a blocking call, thread")) == 1,
         f"with state and reason, {where}", said)
    need(text.count(": receiver, at start_all+") == n
         and len(ids(text, ": member, at start_all+")) == 1
         and text.count(' "first" waiting') == 1
         and text.count(' "main" ') == 1,
         f"with what they run, from where, and names, {where}", said)
    return ids(text, ": receiver,")


def check_bt(text, where, said):
    names = frames(text)
    dives = names.count("dive")
    need(dives == 3 and "gamp_chan_recv" in names and "receiver" in names
         and names[-1] in ("rt_ctx_entry", "g_main"),
         f"a backtrace goes from the park to the entry, {where}", said)
    need(not re.search(r"\?\?|corrupt|Backtrace stopped|Cannot access", text),
         f"and ends well, {where}", said)


def live(prog, script, where):
    find = (r"[l.split()[0] for l in said.split('\n')"
            r" if l[:1].isdigit() and '%s' in l]")
    said = gdb(script, prog, first=[
        "break all_are_parked", f"run {FEW} > /dev/null"], then=[
        "echo \\n@@list\\n", "info goroutines", "echo \\n@@end\\n",
        "python said = gdb.execute('info goroutines', to_string=True)",
        f"python one = 'goroutine ' + {find % ': receiver,'}[5]",
        f"python two = 'goroutine ' + {find % 'in a blocking call'}[0]",
        "echo \\n@@one\\n", "python gdb.execute(one + ' bt')",
        "echo \\n@@short\\n", "python gdb.execute(one + ' bt 2')",
        "echo \\n@@thread\\n", "python gdb.execute(two + ' bt')",
        "echo \\n@@frame\\n",
        "python gdb.execute(one + ' info symbol $pc')",
        "echo \\n@@self\\n", "bt", "echo \\n@@all\\n", "goroutine all bt",
        "echo \\n@@none\\n", "goroutine 77 bt"])
    check_list(said, FEW, where)
    check_bt(part(said, "one"), where, said)
    need(len(frames(part(said, "short"))) == 2, f"bt 2, {where}", said)
    need("blocker" in frames(part(said, "thread")),
         f"one in a blocking call is found on its thread, {where}", said)
    need("rt_park_now" in part(said, "frame"),
         f"other commands run in its newest frame, {where}", said)
    need("all_are_parked" in frames(part(said, "self")),
         f"afterwards the thread is as it was, {where}", said)
    text = part(said, "all")
    need(frames(text).count("dive") == 3 * (FEW + 1)
         and "sleeper" in frames(text) and "member" in frames(text),
         f"backtraces of all, {where}", said)
    need("no goroutine 77" in said, f"an unknown id is an error, {where}",
         said)


def kernel_core(prog, where):
    """A core that the kernel writes, or None."""
    with open("/proc/sys/kernel/core_pattern") as f:
        if f.read().startswith(("|", "/")):
            return None

    def unlimited():
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    with subprocess.Popen([prog, str(MANY)], cwd=where, text=True,
                          stdout=subprocess.PIPE, preexec_fn=unlimited,
                          stderr=subprocess.DEVNULL) as p:
        need(p.stdout.readline() == "parked\n", "the program parks", "")
        p.send_signal(signal.SIGABRT)
        p.wait(LIMIT)
    for name in os.listdir(where):
        if name.startswith("core"):
            return os.path.join(where, name)
    return None


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cored(prog, script, core, how):
    began = processor_time()
    said = gdb(script, prog, core, then=[
        "echo \\n@@list\\n", "info goroutines", "echo \\n@@end\\n"])
    took = processor_time() - began
    some = check_list(said, MANY, how)
    need(took < SECONDS, f"in {took:.1f} s, {how}", "")
    said = gdb(script, prog, core, then=[
        "echo \\n@@one\\n", f"goroutine {some[MANY // 2]} bt",
        "echo \\n@@end\\n"])
    check_bt(part(said, "one"), how, said)


def main():
    prog, script = map(os.path.abspath, sys.argv[1:])
    if not shutil.which("gdb"):
        print("no gdb here")
        return 77
    with tempfile.TemporaryDirectory() as where:
        live(prog, script, "live")
        bare = os.path.join(where, "bare")
        subprocess.run(["objcopy", "--strip-debug", prog, bare], check=True)
        live(bare, script, "live, without debug information")
        core = kernel_core(prog, where)
        if core:
            cored(prog, script, core, "a core")
            os.unlink(core)
        else:
            print("no cores by the kernel here; the rest was well")
            return 77
    return 0


sys.exit(main())
