#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""samples.py - the sample programs, run for real.

    samples.py linnet [name ...]

Each with two Ps and a collection every few allocations.  LINNET_SMALL=1: with
fewer clients and goroutines.
"""
import asyncio, itertools, os, pathlib, subprocess, sys

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
LINNET = sys.argv[1]
SMALL = "LINNET_SMALL" in os.environ
STRESS = ["--procs=2", "--gc-stress=50"]


def run(script, *args, options=STRESS):
    p = subprocess.run([LINNET, *options, str(script), *args], text=True,
                       capture_output=True, timeout=200)
    assert p.returncode == 0, (p.returncode, p.stderr)
    assert "WARNING" not in p.stderr, p.stderr
    return p.stdout.split("\n")


class Server:
    """A sample that listens: its address, and its end."""

    def __init__(self, name, stress=50):
        self.p = subprocess.Popen(
            [LINNET, "--procs=2", f"--gc-stress={stress}", "--stats",
             str(SAMPLES / name), "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        host, port = self.p.stdout.readline().split()[-1].rsplit(":", 1)
        return host, int(port)

    def __exit__(self, *what):
        running = self.p.poll() is None
        self.p.terminate()
        err = self.p.communicate()[1]
        assert running, err
        assert "WARNING" not in err and "ERROR" not in err, err


def play(clients, at):
    """Ends, so that a server that hangs is not left behind."""
    asyncio.run(asyncio.wait_for(clients(*at), 400))


def sieve():
    out = run(SAMPLES / "sieve.lin", "200")
    assert out[:4] == ["2", "3", "5", "7"] and out[199] == "1223", out


def workers():
    out = run(SAMPLES / "workers.lin")
    assert out[0] == "perfect numbers up to 200 [6, 28]", out


def million():
    n = "2000" if SMALL else os.environ.get("LINNET_MANY", "100000")
    assert run(HERE / "million.lin", n,
               options=["--procs=2", "--memory=4G"])[0] == "all"


async def echo_client(host, port, i):
    r, w = await asyncio.open_connection(host, port)
    for k in range(20):
        text = (f"{i} {k} " * (1 + k * 10)).encode()
        w.write(text)
        assert await r.readexactly(len(text)) == text
    w.close()


def echo():
    async def all_of(host, port):
        await asyncio.gather(*(echo_client(host, port, i) for i in range(50)))

    with Server("echo.lin") as at:
        play(all_of, at)


async def http_client(host, port, close):
    r, w = await asyncio.open_connection(host, port)
    for i in range(20):
        path = "/" if i % 2 else "/none"
        more = "Connection: Close\r\n" if close and i == 19 else ""
        text = f"GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode()
        w.write(text[:i])  # in two pieces
        await w.drain()
        w.write(text[i:])
        head = await r.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200" if i % 2 else b"HTTP/1.1 404")
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        body = await r.readexactly(length)
        assert body == (b"hello, world\n" if i % 2 else b"not found\n")
    if close:
        assert await r.read() == b""
    w.close()


async def http_bad(host, port):
    for text in (b"nonsense\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"x" * 20000):
        r, w = await asyncio.open_connection(host, port)
        w.write(text)
        try:
            assert (await r.read()).startswith(b"HTTP/1.1 ")
        except ConnectionResetError:
            pass
        w.close()


def http():
    async def all_of(host, port):
        await asyncio.gather(*(http_client(host, port, i % 2)
                               for i in range(50)))
        await http_bad(host, port)

    with Server("http.lin") as at:
        play(all_of, at)


def chat():
    """Everybody says one thing to all, in turn; all get it in that order.

    A client with 64 lines to read loses more, and while all come there are
    more.  So the speaker says "ready R" until all have read the last one: then
    nobody has anything else to read, and nothing is lost from there on.
    """
    n, said = (100, 10) if SMALL else (1000, 20)
    welcome, ready, heard = [0], [0] * n, [0] * said

    async def until(what, limit=None):  # by what others count
        for _ in itertools.count() if limit is None else range(limit):
            if what():
                return True
            await asyncio.sleep(0.005)
        return False

    async def join(host, port, name):
        r, w = await asyncio.open_connection(host, port, limit=1 << 20)
        w.write(f"{name}\n".encode())
        while not (line := await r.readline()).startswith(b"* welcome"):
            assert line, "the chat has hung up"
        welcome[0] += 1
        return r, w

    async def client(host, port, i):
        r, w = await join(host, port, f"c{i}")
        while not (line := await r.readline()).endswith(b" line 0\n"):
            assert line, "the chat has hung up"
            if line.startswith(b"speaker: ready "):
                ready[i] = int(line.split()[-1])
        for k in range(said):
            assert line == f"speaker: line {k}\n".encode(), line
            heard[k] += 1
            if k + 1 < said:
                line = await r.readline()
        w.write(b"/quit\n")
        await r.read()
        w.close()

    async def speaker(host, port):
        r, w = await join(host, port, "speaker")
        await until(lambda: welcome[0] == n + 1)
        for k in itertools.count(1):
            w.write(f"ready {k}\n".encode())
            if await until(lambda: min(ready) == k, limit=400):
                break
        for k in range(said):
            w.write(f"line {k}\n".encode())
            await until(lambda: heard[k] == n)
        w.write(b"/quit\n")
        await r.read()
        w.close()

    async def all_of(host, port):
        async with asyncio.TaskGroup() as group:
            group.create_task(speaker(host, port))
            for i in range(n):
                group.create_task(client(host, port, i))

    with Server("chat.lin", 2000) as at:
        play(all_of, at)


def repl():
    lines = ("x := 20", "func f(a) {", "return [a, x + 1]", "}", "f(nil)",
             "y", "1 / 0", "c := chan()",
             "go func() { println(\"from a goroutine\"); c <- 1 }()", "d := <-c",
             "x = 5", "x", "exit(4)", "println(\"never\")")
    p = subprocess.run([LINNET, "--gc-stress=1"], input="\n".join(lines),
                       text=True, capture_output=True, timeout=200)
    assert p.returncode == 4, p
    assert p.stdout == "[nil, 21]\nfrom a goroutine\n5\n", p.stdout
    assert "input:1:1: undefined: y\n" in p.stderr, p.stderr
    assert "input:1:3: panic: division by zero\n" in p.stderr, p.stderr


names = sys.argv[2:]
for fn in (repl, sieve, workers, million, echo, http, chat):
    if not names or fn.__name__ in names:
        print(fn.__name__, flush=True)
        fn()
print("all as expected")
