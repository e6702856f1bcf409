#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_ffi.py - builds and runs ffi.rs with the shared library; 77 (skipped)
without rustc.

	test_ffi.py libgamp.so ffi.rs DIRECTORY
"""
import os
import pathlib
import shutil
import subprocess
import sys


def main():
    so, source, work = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
    rustc = shutil.which("rustc")
    if not rustc:
        print("there is no rustc")
        return 77
    work.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, LD_LIBRARY_PATH=str(so.parent))
    subprocess.run([rustc, "--edition", "2021", "-O", "-o", work / "ffi",
                    "-L", so.parent, "-l", "dylib=gamp", source],
                   check=True, timeout=400)
    r = subprocess.run([work / "ffi"], env=env, timeout=200,
                       capture_output=True, text=True)
    sys.stderr.write(r.stderr)
    return 0 if r.returncode == 0 and r.stdout == "done\n" else 1


if __name__ == "__main__":
    sys.exit(main())
