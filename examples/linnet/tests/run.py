#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - run scripts and compare what they print.

    run.py linnet [name ...]

Beside each *.lin of this folder: lines that begin with

    //> text        what it prints, in order
    //! text        what it says on standard error, in order
    //? options     of linnet; a number alone is the status; `calm`: it has so
                    much memory live that to collect all the time takes hours

and *.cases hold many short scripts, each after a line "--- message": what the
first line on standard error has to be, after the file's name.

Every script runs with one P, with two, and with two and a collection every few
allocations.  LINNET_SMALL=1: only the last of these that it is fit for.
"""
import os, pathlib, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
LINNET = sys.argv[1]
MODES = [["--procs=1"], ["--procs=2"], ["--procs=2", "--gc-stress=3"]]
SMALL = "LINNET_SMALL" in os.environ
bad = 0


def run(options, path, name):
    p = subprocess.run([LINNET, *options, str(path)], capture_output=True,
                       text=True, timeout=200, errors="replace")
    err = [l.replace(str(path), name) for l in p.stderr.splitlines()
           if not l.startswith("gamp: hard mode")]
    return p.returncode, p.stdout.splitlines(), err


def differ(name, options, what, got, want):
    global bad
    if got == want:
        return
    bad += 1
    print(f"{name} {' '.join(options)}: {what}")
    if not isinstance(got, list):
        print(f"    got {got}, want {want}")
        return
    for i in range(max(len(got), len(want))):
        g = got[i] if i < len(got) else None
        w = want[i] if i < len(want) else None
        if g != w:
            print(f"    line {i + 1}: got {g!r}, want {w!r}")
            break


def script(path):
    status, options, out, err, modes = 0, [], [], [], MODES
    for l in path.read_text().splitlines():
        if l.startswith("//>"):
            out.append(l[4:])
        elif l.startswith("//!"):
            err.append(l[4:])
        elif l.startswith("//?"):
            for w in l[3:].split():
                if w.isdigit():
                    status = int(w)
                elif w == "calm":
                    modes = MODES[:2]
                else:
                    options.append(w)
    for mode in modes[-1:] if SMALL else modes:
        s, o, e = run(mode + options, path, path.name)
        differ(path.name, mode, "output", o, out)
        differ(path.name, mode, "errors", e, err)
        differ(path.name, mode, "status", s, status)


def cases(path):
    with tempfile.TemporaryDirectory() as d:
        for i, part in enumerate(path.read_text().split("--- ")[1:]):
            want, source = part.split("\n", 1)
            f = pathlib.Path(d) / "x.lin"
            f.write_text(source)
            s, o, e = run(["--procs=1"], f, "x.lin")
            name = f"{path.name} {i + 1}"
            first = e[0] if e else ""
            differ(name, [want], "message", first, "x.lin:" + want)
            differ(name, [want], "status", s, 2 if "panic:" in want else 1)


names = sys.argv[2:]
for path in sorted(HERE.glob("*.lin")):
    if not names or path.stem in names:
        script(path)
for path in sorted(HERE.glob("*.cases")):
    if not names or path.stem in names:
        cases(path)
print("all as expected" if not bad else f"{bad} differences")
sys.exit(bool(bad))
