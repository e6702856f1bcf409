#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py - the house rules a compiler cannot see.  Run by ctest.

layers   a directory includes only itself, those left of it, and include/
width    no line over 80 columns, tabs count 8
length   no function over 70 lines, no source file over 700
header   every .c/.h opens with "name - what it is"
guard    include guards spell the path
atomics  <stdatomic.h>, volatile and __sync/__atomic only in base/atomic.h
public   every GAMP_API has a comment with Parks and Threads
tests    no sleep in tests/
cpp      no #if inside a function body
"""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = ["base", "sched", "netpoll", "runtime"]
TOPS = {"tests": True, "bench": False, "examples": False}  # may see internals?
bad = []


def say(f, n, what):
    bad.append(f"{f.relative_to(ROOT)}:{n}: {what}")


def includes(lines):
    for n, l in enumerate(lines, 1):
        m = re.match(r'\s*#\s*include\s*"([^"]+)"', l)
        if m:
            yield n, m[1]


def layers(f, lines):
    here = f.relative_to(ROOT).parts[0]
    for n, inc in includes(lines):
        d = inc.split("/")[0]
        if here in LAYERS and d in LAYERS:
            if LAYERS.index(d) > LAYERS.index(here):
                say(f, n, f"layer {here}/ may not include {d}/")
        if here == "include" and d in LAYERS:
            say(f, n, "public header includes an internal one")
        if here == "examples" and d in LAYERS:
            say(f, n, "examples use include/ only")


def shape(f, lines):
    start = None
    for n, l in enumerate(lines, 1):
        if len(l.rstrip("\n").expandtabs(8)) > 80:
            say(f, n, "over 80 columns")
        if l.startswith("{"):
            start = n
        if start and re.match(r"\s*#\s*if", l):
            say(f, n, "#if inside a function; use a file or a stub")
        if l.startswith("}") and start:
            if n - start > 71:
                say(f, start, f"function of {n - start - 1} lines")
            start = None
    if len(lines) > (900 if f.parts[-2] == 'tests' else 700):
        say(f, len(lines), "file too long: two ideas?")


def header(f, text):
    name = f.name
    if not re.search(r"/\*\s*(?:\n \* )?" + re.escape(name) + r" - \w", text[:400]):
        say(f, 1, f'no "{name} - what it is" comment')
    if f.suffix == ".h":
        p = str(f.relative_to(ROOT)).upper()
        p = re.sub(r"^BASE/(X86_64|AARCH64)/ARCH/", "BASE/", p)
        p = re.sub(r"^INCLUDE/", "", p)
        want = {re.sub(r"\W", "_", p), "RT_" + re.sub(r"\W", "_", p)}
        want.add(re.sub(r"\W", "_", f.name.upper()))
        m = re.search(r"#ifndef (\w+)", text)
        if not m or m[1] not in want:
            say(f, 1, "include guard does not spell the path")


def words(f, lines):
    rel = str(f.relative_to(ROOT))
    inside = rel.split("/")[0] in LAYERS
    if rel in ("base/atomic.h", "base/san.h") or "model" in rel:
        return
    for n, l in enumerate(lines, 1):
        code = re.sub(r"/\*.*?\*/", "", l)
        if inside and re.search(r"<stdatomic\.h>|\bvolatile\b|__sync_|__atomic_", code):
            if "asm" not in code and " * " != l[:3]:
                say(f, n, "shared memory outside base/atomic.h")
        if rel.startswith("tests/") and re.search(r"\b(u|nano)?sleep\(", code):
            say(f, n, "a test sleeps; wait for a state instead")


def public(f, text):
    for m in re.finditer(r"(/\*(?:(?!\*/).)*\*/)\s*GAMP_API\w*\s[^;]*?\b(gamp_\w+)\(",
                         text, re.S):
        doc, fn = m[1], m[2]
        for key in ("Parks", "Threads"):
            if key not in doc:
                say(f, text[:m.start()].count("\n") + 1, f"{fn}: no {key}")
        if fn + " - " not in doc:
            say(f, text[:m.start()].count("\n") + 1, f"{fn}: no summary line")
    n = len(re.findall(r"^GAMP_API\w*\s", text, re.M))
    k = len(re.findall(r"\*/\s*\nGAMP_API\w*\s", text))
    if n != k:
        say(f, 1, f"{n - k} public functions without a comment")


for f in sorted(ROOT.glob("*/**/*.[ch]")):
    if f.relative_to(ROOT).parts[0] in ("build", ".git"):
        continue
    text = f.read_text()
    lines = text.splitlines()
    layers(f, lines)
    shape(f, lines)
    header(f, text)
    words(f, lines)
    if f.parts[-3] == "include":
        public(f, text)
print("\n".join(bad) or "house rules hold")
sys.exit(bool(bad))
