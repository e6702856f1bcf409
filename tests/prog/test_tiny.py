# SPDX-License-Identifier: MIT
"""test_tiny.py - the language of docs/embedding.md, on several numbers of Ps
and with a collection at every few allocations.

    test_tiny.py TINY DIRECTORY
"""
import os, subprocess, sys, tempfile

TINY, DIRECTORY = sys.argv[1:]
SUM = "2666866670000\n"


def run(script, *args):
    p = subprocess.run([TINY, script, *map(str, args)], capture_output=True,
                       text=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"test_tiny.py: {what}: {got!r}, not {wanted!r}")


def program(text, *args):
    with tempfile.NamedTemporaryFile("w", suffix=".tiny") as f:
        f.write(text)
        f.flush()
        return run(f.name, *args)


def main():
    workers = os.path.join(DIRECTORY, "workers.tiny")
    for procs in (1, 2, 4):
        code, out, err = run(workers, procs, 100)
        expect("exit", (code, out), (0, SUM))
        # One goroutine fails, on purpose, and nobody minds.
        expect("failures", err.count("goroutine"), 1)
        expect("what", "the stack is empty" in err, True)
        expect("collected", int(err.split()[-2]) >= 3, True)
    # Garbage alone: the heap stays small, so there are many collections.
    churn = (": churn begin 0 1 pick < while 1 2 cons drop 1 - repeat ; "
             ": idle begin 0 0 < not while 1 sleep repeat ; "
             ": main drop 5 go idle 5 go idle 60000 churn print ; ")
    for procs in (1, 2):
        code, out, err = program(churn, procs, 50)
        expect("churn", (code, out), (0, "0\n"))
        expect("many", int(err.split()[-2]) > 500, True)
    deep = ": deep deep ; : main deep ;"
    code, out, err = program(deep, 2)
    expect("recursion", (code, "too many calls" in err), (0, True))
    code, out, err = program(": main what ;")
    expect("unknown", (code, "what" in err), (1, True))
    print("test_tiny.py: all of it holds")


main()
