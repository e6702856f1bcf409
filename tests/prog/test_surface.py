#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_surface.py - what the two libraries show to a program, and when they
run: exactly the functions of include/gamp, with a version; nothing before
main.

	test_surface.py libgamp.so libgamp.a include/gamp
"""
import pathlib
import re
import subprocess
import sys

VERSION = "GAMP_0.1"
# What compilers put there for themselves: frame_dummy and its counterpart.
OF_THE_COMPILER = 8

errors = []


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True,
                          text=True).stdout


def defined(*argv):
    """Names of defined symbols, without their versions; and the versions."""
    names, versions = set(), set()
    for line in run("nm", "--defined-only", *argv).splitlines():
        words = line.split()
        if len(words) != 3 or words[1] == "A":
            continue
        name, _, version = words[2].partition("@")
        names.add(name)
        versions.add(version.lstrip("@"))
    return names, versions


def declared(include):
    """Functions and data that the headers promise."""
    names = set()
    for header in include.glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for m in re.finditer(r"\bGAMP_API\b(?!\s*__attr)([^;]*);", text):
            found = re.search(r"\b(gamp_\w+)\s*(?:\(|$)", m.group(1).strip())
            if found:
                names.add(found.group(1))
        names |= set(re.findall(r"^static inline [^(]*?\b(gamp_\w+)\(", text,
                                re.M))
    return names


def expect(ok, what):
    if not ok:
        errors.append(what)


def check_shared(so, promised):
    names, versions = defined("-D", so)
    strange = {n for n in names if not n.startswith("gamp_")}
    expect(not strange, f"{so} exports {sorted(strange)}")
    expect(versions == {VERSION}, f"{so} has the versions {versions}")
    expect(promised <= names, f"{so} lacks {sorted(promised - names)}")
    for tag in ("INIT_ARRAYSZ", "FINI_ARRAYSZ", "PREINIT_ARRAYSZ"):
        m = re.search(rf"\({tag}\)\s+(\d+)", run("readelf", "-dW", so))
        expect(not m or int(m.group(1)) <= OF_THE_COMPILER,
               f"{so}: something of ours is in its {tag}")


def check_archive(archive, promised):
    names, _ = defined("-g", archive)
    strange = {n for n in names if not n.startswith("gamp_")}
    expect(not strange, f"{archive} defines {sorted(strange)}")
    expect(promised <= names, f"{archive} lacks {sorted(promised - names)}")
    sections = run("readelf", "-SW", archive)
    for name in (".init_array", ".fini_array", ".preinit_array", ".ctors",
                 ".dtors"):
        expect(name not in sections, f"{archive} has {name}")


def main():
    so, archive, include = sys.argv[1:4]
    promised = declared(pathlib.Path(include))
    expect(len(promised) > 100, f"{include}: {len(promised)} declarations")
    expect("gamp_checkpoint" in promised, "inline functions are not seen")
    check_shared(so, promised)
    check_archive(archive, promised)
    for e in errors:
        print(e)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
