#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_tsan_user.py - the users' recipe for sanitizers, from outside.

usage: test_tsan_user.py [--cc gcc|clang] [--san thread|address]
                         [--lib LIBRARY] SOURCE WORK

Builds the library under WORK as docs tell users to (the second time it is
found there), or takes one that was built so, compiles tsan_user.c with the
sanitizer, and looks at what is reported: each bug by name, and nothing else.
Exit code 77: no such compiler.
"""
import argparse
import os
import shutil
import subprocess
import sys

LIMIT = 200  # seconds for one run
RACE = "ThreadSanitizer: data race"

# mode, what has to be reported: None is silence.
THREAD = [
    ("race", RACE), ("race_late", RACE), ("race_thread", RACE),
    ("go", None), ("pipe_atomic", None), ("pipe_alone", None),
    ("when_readable", None), ("mutex", None), ("own", None),
    ("exits", None), ("returns", None), ("stacks", None),
]
ADDRESS = [
    ("heap", "heap-buffer-overflow"), ("frame", "stack-buffer-overflow"),
    ("after_free", "heap-use-after-free"),
    ("go", None), ("when_readable", None), ("mutex", None), ("own", None),
    ("exits", None), ("stacks", None),
]
# Where the report must say that it happened.
PLACE = {"race": "touch", "race_late": "touch_late", "race_thread": "touch",
         "heap": "overflow_heap", "frame": "overflow_frame",
         "after_free": "use_it"}


def call(*cmd):
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    if r.returncode != 0:
        sys.exit(f"failed: {' '.join(cmd)}\n{r.stdout}")
    return r.stdout


def build_lib(a, work):
    cxx = {"gcc": "g++", "clang": "clang++"}[a.cc]
    lib = os.path.join(work, "lib")
    call("cmake", "-S", a.source, "-B", lib, "-DBUILD_TESTING=OFF",
         f"-DCMAKE_C_COMPILER={a.cc}", f"-DCMAKE_CXX_COMPILER={cxx}",
         f"-DGAMP_SANITIZE={a.san}", "-DGAMP_TSAN_SELF=OFF")
    call("cmake", "--build", lib, "--target", "gamp_archive", "-j2")
    return os.path.join(lib, "libgamp.a")


def build(a, work):
    lib = a.lib or build_lib(a, work)
    prog = os.path.join(work, "tsan_user")
    call(a.cc, "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra",
         "-Werror", f"-fsanitize={a.san}{',undefined' if a.lib else ''}", "-fno-omit-frame-pointer",
         "-I", os.path.join(a.source, "include"),
         os.path.join(a.source, "tests/prog/tsan_user.c"),
         lib, "-o", prog, "-pthread")
    return prog


def judge(prog, mode, procs, want, env):
    r = subprocess.run([prog, mode, str(procs)], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=LIMIT,
                       env=env, errors="replace")
    if r.stdout.startswith("gamp: hard mode"):  # its first line
        r.stdout = r.stdout.partition("\n")[2]
    if want is None:
        good = r.returncode == 0 and r.stdout == "done\n"
    else:
        # Only what it is about, at the place where it is.
        n = r.stdout.count("WARNING: ") + r.stdout.count("ERROR: ")
        good = (r.returncode not in (0, -6) and n == 1 and want in r.stdout
                and f" {PLACE[mode]} " in r.stdout)
    print(f"{'ok  ' if good else 'FAIL'} {mode} on {procs} P"
          f"{'s' if procs > 1 else ''}: {want or 'silence'}", flush=True)
    if not good:
        print(f"exit code {r.returncode}\n{r.stdout[:4000]}")
    return good


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--cc", default="gcc", choices=["gcc", "clang"])
    p.add_argument("--san", default="thread", choices=["thread", "address"])
    p.add_argument("--lib", help="with address: of GAMP_SANITIZE=address;undefined")
    p.add_argument("source")
    p.add_argument("work")
    a = p.parse_args()
    if not shutil.which(a.cc):
        print(f"no {a.cc} here")
        return 77
    work = os.path.join(os.path.abspath(a.work), f"{a.san}-{a.cc}")
    os.makedirs(work, exist_ok=True)
    prog = build(a, work)
    env = dict(os.environ, TSAN_OPTIONS="atexit_sleep_ms=0",
               ASAN_OPTIONS="detect_stack_use_after_return=0")
    good = True
    for mode, want in THREAD if a.san == "thread" else ADDRESS:
        for procs in 1, 2:
            good &= judge(prog, mode, procs, want, env)
    if a.san == "address":
        env["ASAN_OPTIONS"] = "detect_stack_use_after_return=1"
        for mode, want in ADDRESS:
            good &= judge(prog, mode, 2, want, env)
    return 0 if good else 1


sys.exit(main())
