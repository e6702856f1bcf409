# SPDX-License-Identifier: MIT
"""gamp-gdb.py - goroutines in gdb: of a process, and of a core file.

    (gdb) source /usr/share/gamp/gdb/gamp-gdb.py
    (gdb) info goroutines              all of them, a line each
    (gdb) info goroutines receive      those whose line has this in it
    (gdb) goroutine 33554434 bt        where this one is; any other command
    (gdb) goroutine all bt 5           of frames works as well: its frames
                                       are numbered from 1 then

The line: id, name, state and reason, for about how long (seconds), thread,
what it runs, where it was started and by whom.

Needs no debug information of the library, only its symbol gamp_debug_layout,
which tells where things are.  A parked goroutine's stack is walked by gdb's
own unwinder: it is told that the thread's newest frame was called from where
the goroutine left, so nothing is written, and a core file will do.

Cores: one that the kernel writes has all stacks.  gdb's gcore gives a mapping
up at the first guard page made by madvise, and has no goroutine then: run the
program with GAMP_DEBUG=guard=mprotect for it, and be patient (a minute, for
it reads all that is reserved).
"""
import re
import struct

import gdb
import gdb.unwinder

WORDS = (
    "size arena g_size tag status ref why blocking ctx fn member group "
    "leaving name parent site since allm m_curg m_tid m_link tick_time entry "
    "why_names why_count why_len").split()
ARENA = "classes class_count class_size base slot used ctl colours line".split()
SINCE_SHIFT = 20  # of a time at which one parked: sched/g.h
STATES = ["dead", "runnable", "running", "waiting"]
NAME_MAX = 64


class Registers:
    """What a saved context holds, in its order."""
    OF = {"x86-64": ("rsp", "rip", "rbp", "rbx"),
          "aarch64": ("sp", "pc", "x29", "x19")}

    def __init__(self):
        arch = gdb.selected_frame().architecture().name()
        for key, names in self.OF.items():
            if key in arch:
                self.names = names
                return
        raise gdb.GdbError("no goroutines on " + arch)


def read(addr, size):
    return bytes(gdb.selected_inferior().read_memory(addr, size))


def u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def c_string(addr):
    if addr == 0:
        return ""
    try:
        # Not beyond the page, which may be the last.
        data = read(addr, min(NAME_MAX, 4096 - addr % 4096))
    except gdb.MemoryError:
        return "?"
    return data.split(b"\0")[0].decode(errors="replace")


class Layout:
    """gamp_debug_layout, as attributes."""

    def __init__(self):
        try:
            at = int(gdb.parse_and_eval("(unsigned long)&gamp_debug_layout"))
        except gdb.error:
            raise gdb.GdbError("no gamp here (no symbol gamp_debug_layout)")
        data = read(at, 8 + 8 * len(WORDS))
        if data[:8] != b"gampdbg1":
            raise gdb.GdbError("another version of gamp, or not yet loaded")
        for i, word in enumerate(WORDS):
            setattr(self, word, u64(data, 8 + 8 * i))
        data = read(self.arena, 8 * len(ARENA))
        for i, word in enumerate(ARENA):
            setattr(self, word, u64(data, 8 * i))
        table = read(self.why_names, self.why_count * self.why_len)
        self.whys = [table[i * self.why_len:(i + 1) * self.why_len]
                     .split(b"\0")[0].decode()
                     for i in range(self.why_count)]


class Goroutine:
    def __init__(self, lay, addr, data):
        self.addr = addr
        tag = u64(data, lay.tag)
        self.id = tag >> 1
        self.cancelled = tag & 1
        self.status = u32(data, lay.status)
        self.why = data[lay.why]
        self.blocking = data[lay.blocking] & 1
        self.ctx = struct.unpack_from("<4Q", data, lay.ctx)
        self.fresh = self.ctx[1] == lay.entry
        self.fn = u64(data, lay.fn)
        if u64(data, lay.leaving) and u64(data, lay.group):
            self.fn = u64(data, lay.member) or self.fn
        self.name_at = u64(data, lay.name)
        self.parent = u64(data, lay.parent)
        self.site = u64(data, lay.site)
        self.since = u32(data, lay.since)
        self.tid = 0


class Program:
    """All that is known of the goroutines now."""

    def __init__(self):
        self.lay = Layout()
        self.gs = {}
        self.symbols = {}
        lay = self.lay
        for cls in range(lay.class_count):
            self.read_class(cls, read(lay.classes + cls * lay.class_size,
                                      lay.class_size))
        self.read_threads()
        self.now = u64(read(lay.tick_time, 8), 0)

    def read_class(self, cls, data):
        lay = self.lay
        base, slot = u64(data, lay.base), u64(data, lay.slot)
        ctl = u64(read(lay.ctl, 8), 0)
        for i in range(u32(data, lay.used)):
            at = base + (i + 1) * slot - ctl - i % lay.colours * lay.line
            try:
                g = Goroutine(lay, at, read(at, lay.g_size))
            except gdb.MemoryError:
                continue  # not in the core
            if g.id:
                self.gs[g.id] = g

    def read_threads(self):
        lay = self.lay
        by_addr = {g.addr: g for g in self.gs.values()}
        m = u64(read(lay.allm, 8), 0)
        while m:
            g = by_addr.get(u64(read(m + lay.m_curg, 8), 0))
            if g:
                g.tid = u32(read(m + lay.m_tid, 4), 0)
            m = u64(read(m + lay.m_link, 8), 0)

    def symbol(self, pc):
        if pc not in self.symbols:
            said = gdb.execute(f"info symbol {pc:#x}", to_string=True)
            m = re.match(r"(\S+)( \+ (\d+))?", said)
            self.symbols[pc] = (
                f"{pc:#x}" if said.startswith("No symbol") or not m
                else m[1] + (f"+{int(m[3]):#x}" if m[3] else ""))
        return self.symbols[pc]

    def waited(self, g):
        """Seconds; sysmon may have looked at the clock before it parked."""
        units = (self.now >> SINCE_SHIFT) - g.since & 0xFFFFFFFF
        return 0 if units > 1 << 31 else (units << SINCE_SHIFT) / 1e9

    def line(self, g):
        lay = self.lay
        state = STATES[g.status] if g.status < len(STATES) else "?"
        if g.status == 3:
            why = lay.whys[g.why] if g.why < len(lay.whys) else "?"
            state += f" ({why}) {self.waited(g):.3f}"
        elif g.status == 1 and g.fresh:
            state += ", not yet run"
        elif g.blocking:
            state = "in a blocking call"
        if g.tid:
            state += f", thread {g.tid}"
        if g.cancelled:
            state += ", cancelled"
        name = f' "{c_string(g.name_at)}"' if g.name_at else ""
        start = f", at {self.symbol(g.site)}" if g.site else ""
        start += f", by {g.parent}" if g.parent else ""
        return f"{g.id}{name} {state}: {self.symbol(g.fn)}{start}"


class GoroutineUnwinder(gdb.unwinder.Unwinder):
    """The newest frame of the selected thread, as if called from a parked
    goroutine."""

    def __init__(self):
        super().__init__("gamp-goroutine")
        self.ctx = None

    def look_at(self, ctx):
        self.names = Registers().names
        top = gdb.newest_frame()
        self.top = (int(top.read_register("pc")), int(top.read_register("sp")))
        self.ctx = ctx
        gdb.invalidate_cached_frames()

    def look_away(self):
        self.ctx = None
        gdb.invalidate_cached_frames()

    def __call__(self, frame):
        if self.ctx is None:
            return None
        pc, sp = (int(frame.read_register(r)) for r in ("pc", "sp"))
        if (pc, sp) != self.top:
            return None
        word = gdb.lookup_type("unsigned long")
        info = frame.create_unwind_info(FrameId(self.ctx[0], pc))
        for name, value in zip(self.names, self.ctx):
            info.add_saved_register(name, gdb.Value(value).cast(word))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = (
            gdb.Value(v).cast(gdb.lookup_type("unsigned long"))
            for v in (sp, pc))


unwinder = GoroutineUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def without_newest(said):
    """A backtrace without its frame 0, numbered from 0 again."""
    out = []
    for line in said.splitlines():
        m = re.match(r"#(\d+)( *)(.*)", line)
        if m:
            skip = m[1] == "0"
            n = f"#{int(m[1]) - 1}"
            line = n.ljust(len(m[1] + m[2]) + 1) + m[3]
        elif not out and not line.startswith(" "):
            skip = False
        if not skip:
            out.append(line)
    return "\n".join(out)


def one_more(command):
    """bt 5 is to show five frames of the goroutine's."""
    return re.sub(r" (\d+)", lambda m: f" {int(m[1]) + 1}", command, count=1)


def in_parked(g, command):
    unwinder.look_at(g.ctx)
    try:
        if re.match(r"(bt|backtrace|where)\b", command):
            print(without_newest(
                gdb.execute(one_more(command), to_string=True)))
        else:
            gdb.newest_frame().older().select()
            gdb.execute(command)
    finally:
        unwinder.look_away()


def in_thread(g, command):
    was = gdb.selected_thread()
    for t in gdb.selected_inferior().threads():
        if t.ptid[1] == g.tid or t.ptid[2] == g.tid:
            t.switch()
            try:
                gdb.execute(command)
            finally:
                was.switch()
            return
    print(f"thread {g.tid} is not there")


def run_in(program, g, command):
    print(program.line(g))
    if g.tid:
        in_thread(g, command)
    elif g.fresh:
        print("    it has no frames yet")
    else:
        in_parked(g, command)


class InfoGoroutines(gdb.Command):
    """info goroutines [TEXT] - all goroutines, or those whose line has TEXT"""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        program = Program()
        lines = [program.line(g) for _, g in sorted(program.gs.items())]
        lines = [line for line in lines if arg.strip() in line]
        print("\n".join(lines + [f"{len(lines)} goroutines"]))


class InGoroutine(gdb.Command):
    """goroutine ID|all COMMAND - run a command (bt) where a goroutine is"""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        which, _, command = arg.strip().partition(" ")
        command = command.strip() or "bt"
        program = Program()
        if which == "all":
            for _, g in sorted(program.gs.items()):
                run_in(program, g, command)
                print()
            return
        g = program.gs.get(int(which)) if which.isdigit() else None
        if not g:
            raise gdb.GdbError(f"no goroutine {which or '(ID or all?)'}")
        run_in(program, g, command)


InfoGoroutines()
InGoroutine()
