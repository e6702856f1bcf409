#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_http.py - examples/http from outside, over real sockets.

usage: test_http.py [--answers] BINARY [NAME...]

A test is a function whose name is the sentence it checks.  Each gets a
server of its own on a free port; it must find the server alive and without
leaked descriptors afterwards.  --answers leaves out those on starting, ending
and time, so that bench/epoll_http can be held to the same answers.
"""
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time

LIMIT = 60  # seconds within which anything has to happen
HEAD_MAX, URL_MAX, BODY_MAX = 8192, 4096, 1 << 20
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO = b"Hello, World!"


def wait_until(what, state):
    end = time.monotonic() + LIMIT
    while not state():
        if time.monotonic() > end:
            raise AssertionError("waited in vain until " + what)
        time.sleep(0.001)


def unless_late(seconds, body, *args):
    """What the server has a time for.  If it fails after so many seconds, it
    was too late itself, and may try again."""
    end = time.monotonic() + 2 * LIMIT
    while True:
        start = time.monotonic()
        try:
            return body(*args)
        except (AssertionError, OSError):
            now = time.monotonic()
            if now - start < seconds or now > end:
                raise


def mostly(body, *args):
    """A limit that a host may break that stalls, but not three times."""
    for more in (2, 1, 0):
        try:
            return body(*args)
        except (AssertionError, OSError):
            if more == 0:
                raise


class Server:
    def __init__(self, *options):
        self.proc = subprocess.Popen(
            [BINARY, "-a", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=ENV)
        line = self.proc.stdout.readline()
        found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
        if not found:
            self.proc.kill()
            raise AssertionError(f"said {line!r}, {self.proc.stderr.read()!r}")
        self.port = int(found[1])
        self.pid = self.proc.pid
        self.fds_before = self.fds()

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def connect(self):
        return Client(self)

    def refuses(self):
        try:
            self.connect().__exit__()
            return False
        except ConnectionError:
            return True

    def unread(self, client_port):
        """Bytes that are on their way, or in the server's receive queue."""
        ours = f"{client_port:04X}", f"{self.port:04X}"
        n = 0
        with open("/proc/net/tcp") as f:
            next(f)
            for line in f:
                w = line.split()
                ends = w[1].split(":")[1], w[2].split(":")[1]
                if ends == ours:
                    n += int(w[4].split(":")[0], 16)
                elif ends == ours[::-1]:
                    n += int(w[4].split(":")[1], 16)
        return n

    def end(self, sig=signal.SIGTERM, within=LIMIT):
        """Ends it; returns how long that took."""
        start = time.monotonic()
        self.proc.send_signal(sig)
        try:
            status = self.proc.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there {within} s after signal {sig}")
        assert status == 0, f"exit status {status}: {self.proc.stderr.read()}"
        return time.monotonic() - start

    def check(self):
        """Alive, and all descriptors given back."""
        assert self.proc.poll() is None, f"it ended: {self.proc.returncode}"
        wait_until("descriptors are closed",
                   lambda: self.fds() <= self.fds_before + SLACK)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.communicate()


# ThreadSanitizer waits for a second at every exit.
ENV = dict(os.environ, TSAN_OPTIONS=os.environ.get("TSAN_OPTIONS", "") +
           " atexit_sleep_ms=0")
SLACK = 2  # a runtime may open an epoll or an eventfd at its first use


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __getitem__(self, name):
        return self.headers.get(name)


class Client:
    def __init__(self, server):
        self.server = server
        self.sock = socket.create_connection(("127.0.0.1", server.port), LIMIT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.sock.getsockname()[1]
        self.buf = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def send_seen(self, data):
        """Sends; returns when the server has read all of it."""
        self.send(data)
        wait_until("the server has read",
                   lambda: self.server.unread(self.port) == 0)
        return self

    def fill(self):
        data = self.sock.recv(65536)
        self.buf += data
        return data

    def until(self, mark):
        while mark not in self.buf:
            assert self.fill(), f"end of stream after {self.buf[-200:]!r}"
        part, self.buf = self.buf.split(mark, 1)
        return part

    def response(self, head=False):
        lines = self.until(b"\r\n\r\n").decode("ascii").split("\r\n")
        found = re.fullmatch(r"HTTP/1\.1 (\d\d\d) .+", lines[0])
        assert found, f"status line {lines[0]!r}"
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"two of {name}"
            headers[name.lower()] = value
        status = int(found[1])
        if status == 100:
            return Response(100, headers, b"")
        n = 0 if head else int(headers["content-length"])
        while len(self.buf) < n:
            assert self.fill(), "end of stream within a body"
        body, self.buf = self.buf[:n], self.buf[n:]
        return Response(status, headers, body)

    def ask(self, data, head=False):
        return self.send(data).response(head)

    def ended(self):
        """The server has closed in order, and has said nothing more."""
        while self.fill():
            pass
        assert self.buf == b"", f"said {self.buf[:200]!r} before the end"

    def hello(self):
        r = self.ask(GET)
        assert r.status == 200 and r.body == HELLO, r.status


def request(method="GET", url="/", *headers, version="1.1", body=b""):
    lines = [f"{method} {url} HTTP/{version}", "Host: a", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def expect(got, want):
    assert got == want, f"{got!r}, not {want!r}"


# What it answers


def get_says_hello(s):
    with s.connect() as c:
        r = c.ask(GET)
        expect((r.status, r.body), (200, HELLO))
        expect(r["content-type"], "text/plain")
        expect(r["content-length"], "13")
        expect(r["connection"], None)


def a_connection_is_kept(s):
    with s.connect() as c:
        for _ in range(1000):
            c.hello()


def head_has_the_length_and_no_body(s):
    with s.connect() as c:
        r = c.ask(request("HEAD"), head=True)
        expect((r.status, r["content-length"]), (200, "13"))
        c.hello()
        r = c.ask(request("HEAD", "/x"), head=True)
        expect(r.status, 404)
        c.hello()


def the_root_has_many_names(s):
    with s.connect() as c:
        for url in ("/?", "/?a=b/c", "http://a/", "http://a", "http://a:80/?x",
                    "http://a?x"):
            expect((url, c.ask(request("GET", url)).status), (url, 200))
        for url in ("//", "/x", "/x?/", "http://a/x", "http://a//", "*"):
            expect((url, c.ask(request("GET", url)).status), (url, 404))


def other_methods_are_not_allowed(s):
    with s.connect() as c:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
            r = c.ask(request(method))
            expect((method, r.status), (method, 405))
            expect(r["allow"], "GET, HEAD")
        expect(c.ask(request("CONNECT", "a:80")).status, 405)
        expect(c.ask(request("POST", "/x")).status, 404)
        c.hello()


def malformed_requests_end_the_connection(s):
    for bad in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"hello\r\n\r\n",
                b"GET / HTTP/x.y\r\n\r\n", b"GET / FTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\nA\x01: b\r\n\r\n",
                b"GET x y HTTP/1.1\r\nHost: a\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nHosts: a\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n",
                request("POST", "/", "Content-Length: x"),
                request("POST", "/", "Content-Length: -1"),
                request("POST", "/", "Content-Length: 1",
                        "Content-Length: 2"),
                request("POST", "/", "Content-Length: 1",
                        "Transfer-Encoding: chunked"),
                request("POST", "/", "Transfer-Encoding: nonsense"),
                request("POST", "/", "Transfer-Encoding: chunked",
                        body=b"zz\r\n")):
        with s.connect() as c:
            r = c.ask(bad)
            expect((bad, r.status, r["connection"]), (bad, 400, "close"))
            expect(r.body, b"Bad Request\n")
            c.ended()


def an_error_leaves_earlier_answers(s):
    with s.connect() as c:
        c.send(GET + GET + b"rubbish\r\n\r\n" + GET)
        expect([c.response().status for _ in range(3)], [200, 200, 400])
        c.ended()


def other_versions_are_refused(s):
    for version in ("2.0", "0.9", "3.1"):
        with s.connect() as c:
            expect(c.ask(request(version=version)).status, 505)
            c.ended()


def a_long_url_is_refused(s):
    with s.connect() as c:
        expect(c.ask(request("GET", "/" * URL_MAX)).status, 404)
        r = c.ask(request("GET", "/" * (URL_MAX + 1)))
        expect((r.status, r["connection"]), (414, "close"))
        c.ended()
    with s.connect() as c:  # in small pieces, and far too long
        for _ in range(20):
            c.sock.sendall(b"GET /" if _ == 0 else b"x" * 300)
        expect(c.response().status, 414)
        c.ended()
    with s.connect() as c:  # the limit of the head is reached first
        c.send_seen(b"GET /" + b"x" * 1000)
        c.send(b"x" * 8192)
        expect(c.response().status, 414)


def padded(size):
    return request("GET", "/", "A: " + "x" * (size - len(
        request("GET", "/", "A: "))))


def a_long_head_is_refused(s):
    with s.connect() as c:
        expect(c.ask(padded(HEAD_MAX - 64)).status, 200)
        r = c.ask(padded(HEAD_MAX + 64))
        expect((r.status, r["connection"]), (431, "close"))
        c.ended()
    with s.connect() as c:  # many headers, in pieces
        c.send_seen(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(10):
            c.sock.sendall(b"A: " + b"x" * 900 + b"\r\n")
        expect(c.response().status, 431)
        c.ended()
    with s.connect() as c:  # a name that does not end
        c.send_seen(b"GET / HTTP/1.1\r\n")
        c.send(b"x" * (HEAD_MAX + 100))
        expect(c.response().status, 431)
    with s.connect() as c:  # some line ends before a request are no head
        expect(c.ask(b"\r\n" * 1000 + GET).status, 200)


def bodies_are_read_and_dropped(s):
    with s.connect() as c:
        for n in (1, 5, 8192, 100000, BODY_MAX):
            r = c.ask(request("POST", "/", f"Content-Length: {n}",
                              body=b"x" * n))
            expect((n, r.status), (n, 405))
            c.hello()
        r = c.ask(request("GET", "/", "Content-Length: 5", body=b"12345"))
        expect(r.status, 200)
        c.hello()


def chunk(data, ext=b""):
    return b"%x%s\r\n%s\r\n" % (len(data), ext, data)


CHUNKED = "Transfer-Encoding: chunked"


def chunked_bodies_are_read_and_dropped(s):
    with s.connect() as c:
        r = c.ask(request("POST", "/", CHUNKED, body=chunk(b"hello") +
                          chunk(b"x" * 5000, b";a=b") + chunk(b"")))
        expect(r.status, 405)
        c.hello()
        r = c.ask(request("GET", "/", CHUNKED, body=chunk(b"hello") +
                          b"0\r\nHost: trailer\r\nA: b\r\n\r\n"))
        expect(r.status, 200)
        c.send(request("POST", "/", CHUNKED))
        for byte in chunk(b"slow") + chunk(b""):
            c.send_seen(bytes([byte]))
        expect(c.response().status, 405)
        part = BODY_MAX // 16
        r = c.ask(request("POST", "/", CHUNKED,
                          body=16 * chunk(b"x" * part) + chunk(b"")))
        expect(r.status, 405)
        c.hello()


def large_bodies_are_refused(s):
    with s.connect() as c:  # at once, before the body
        r = c.ask(request("POST", "/", f"Content-Length: {BODY_MAX + 1}"))
        expect((r.status, r["connection"]), (413, "close"))
        c.ended()
    with s.connect() as c:  # a length beyond 64 bits
        expect(c.ask(request("POST", "/",
                             "Content-Length: " + "9" * 30)).status, 400)
    with s.connect() as c:  # the chunks together
        part = b"x" * (BODY_MAX // 4)
        c.send(request("POST", "/", CHUNKED))
        for _ in range(4):
            c.send(chunk(part))
        expect(c.ask(b"1\r\n").status, 413)
        c.ended()
    with s.connect() as c:
        expect(c.ask(request("POST", "/", CHUNKED,
                             body=b"ffffffffffffff00\r\n")).status, 413)
    with s.connect() as c:  # trailers have the limits of a head
        r = c.ask(request("POST", "/", CHUNKED, body=b"0\r\n" +
                          b"A: b\r\n" * 2000))
        expect(r.status, 431)


def is_refused(s):
    with s.connect() as c:
        c.send(request("POST", "/", "Content-Length: 3000000"))
        c.send(b"x" * 1500000)  # nobody reads it
        expect(c.response().status, 413)
        c.ended()


def who_is_refused_can_read_why(s):
    for _ in range(20):
        unless_late(0.9, is_refused, s)


def expect_100_is_answered(s):
    e = "Expect: 100-continue"
    with s.connect() as c:
        expect(c.ask(request("POST", "/", e, "Content-Length: 3")).status, 100)
        expect(c.ask(b"abc").status, 405)
        expect(c.ask(request("POST", "/", "expect: 100-Continue",
                             CHUNKED)).status, 100)
        expect(c.ask(chunk(b"abc") + chunk(b"")).status, 405)
        # no body, an old client, another expectation: nothing to wait for
        expect(c.ask(request("GET", "/", e)).status, 200)
        expect(c.ask(request("POST", "/", "Connection: keep-alive", e,
                             "Content-Length: 3", version="1.0",
                             body=b"abc")).status, 405)
        expect(c.ask(request("POST", "/", "Expect: 100-continued",
                             "Content-Length: 3", body=b"abc")).status, 405)
        r = c.ask(request("POST", "/", e, f"Content-Length: {BODY_MAX + 1}"))
        expect(r.status, 413)
        c.ended()


def http_1_0_closes_unless_asked(s):
    with s.connect() as c:
        r = c.ask(b"GET / HTTP/1.0\r\n\r\n")
        expect((r.status, r["connection"]), (200, "close"))
        c.ended()
    with s.connect() as c:
        for _ in range(3):
            r = c.ask(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            expect((r.status, r["connection"]), (200, "keep-alive"))
        r = c.ask(b"GET / HTTP/1.0\r\n\r\n")
        expect((r.status, r["connection"]), (200, "close"))
        c.ended()


def connection_close_is_honoured(s):
    with s.connect() as c:
        c.hello()
        r = c.ask(request("GET", "/", "Connection: close"))
        expect((r.status, r["connection"]), (200, "close"))
        c.ended()
    with s.connect() as c:  # what follows it is not answered
        c.send(GET + request("GET", "/x", "connection: foo, Close") + GET)
        expect([c.response().status for _ in range(2)], [200, 404])
        c.ended()


def an_upgrade_is_ignored(s):
    with s.connect() as c:
        for headers in (("Connection: Upgrade", "Upgrade: websocket"),
                        ("Connection: Upgrade, HTTP2-Settings",
                         "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQA")):
            expect(c.ask(request("GET", "/", *headers)).status, 200)
            expect(c.ask(request("POST", "/", "Content-Length: 2", *headers,
                                 body=b"ab")).status, 405)
            c.hello()


# How it arrives


def pipelined_requests_are_answered_in_order(s):
    kinds = [(GET, False, 200), (request("HEAD"), True, 200),
             (request("GET", "/x"), False, 404),
             (request("POST", "/", "Content-Length: 4", body=b"GET "),
              False, 405)]
    with s.connect() as c:
        for n in (100, 5000):
            batch = [kinds[i * i % 7 % 4] for i in range(n)]
            c.send(b"".join(data for data, _, _ in batch))
            for _, head, status in batch:
                expect(c.response(head).status, status)
        c.hello()


def requests_may_come_a_byte_at_a_time(s):
    with s.connect() as c:
        for data, status in (
                (request("GET", "/", "Expect: 100-continue"), 200),
                (request("GET", "/long?x", "Host-Not: b"), 404),
                (request("POST", "/", "Content-Length: 5", body=b"12345"),
                 405),
                (b"\r\n\n\r\n" + GET, 200)):
            for byte in data:
                c.send_seen(bytes([byte]))
            expect(c.response().status, status)


def requests_may_be_cut_anywhere(s):
    data = (request("POST", "http://a/", CHUNKED, body=chunk(b"abc") +
                    chunk(b"")) + GET)
    with s.connect() as c:
        for cut in range(1, len(data)):
            c.send_seen(data[:cut])
            c.send(data[cut:])
            expect([c.response().status for _ in range(2)], [405, 200])


def a_half_closed_peer_gets_its_answer(s):
    for _ in range(50):
        with s.connect() as c:
            c.send(GET)
            c.sock.shutdown(socket.SHUT_WR)
            expect(c.response().status, 200)
            c.ended()
    with s.connect() as c:
        c.send(GET * 1000)
        c.sock.shutdown(socket.SHUT_WR)
        for _ in range(1000):
            expect(c.response().status, 200)
        c.ended()
    with s.connect() as c:  # half a request is not answered
        c.send(GET[:-1])
        c.sock.shutdown(socket.SHUT_WR)
        c.ended()


def a_peer_may_reset(s):
    reset = struct.pack("ii", 1, 0)
    for data in (b"", GET[:9], GET, GET * 1000,
                 request("POST", "/", "Content-Length: 9")):
        for _ in range(20):
            with s.connect() as c:
                c.send(data)
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    with s.connect() as c:
        c.hello()


def a_peer_may_read_late(s):
    n = 60000
    with s.connect() as c, s.connect() as other:
        c.sock.setblocking(False)
        data = GET * n
        sent = 0
        stuck = False
        while sent < len(data):  # until neither side takes more
            ready = select.select([], [c.sock], [], 0.3)[1]
            if not ready:
                stuck = True
                break
            sent += c.sock.send(data[sent:])
        other.hello()
        c.sock.setblocking(True)
        c.sock.settimeout(LIMIT)
        seen = 0
        while seen < sent // len(GET):
            expect(c.response().status, 200)
            seen += 1
        assert stuck or sent == len(data)


def many_may_be_idle(s):
    before = s.threads()
    clients = [s.connect() for _ in range(500)]
    try:
        for c in clients:
            c.hello()
        with s.connect() as c:
            for _ in range(1000):
                c.hello()
        # None for each; those of late ones, which lost their Ps, end again.
        wait_until("there are few threads",
                   lambda: s.threads() < before + 20)
        for c in clients:
            c.send(GET + GET)
        for c in clients:
            expect([c.response().status for _ in range(2)], [200, 200])
        for c in clients[::2]:
            c.__exit__()
        for c in clients[1::2]:
            c.hello()
    finally:
        for c in clients:
            c.__exit__()


def connections_come_and_go(s):
    for _ in range(2000):
        with s.connect() as c:
            c.hello()


# Starting, ending, time


def is_not_idle(s):
    """It asks for longer than the server waits: unless it comes too late."""
    with s.connect() as c:
        end = time.monotonic() + 2.5
        last = time.monotonic()
        while last < end:
            try:
                c.hello()
            except (AssertionError, OSError):
                if time.monotonic() - last < 0.9:
                    raise
                return False
            last = time.monotonic()
            select.select([c.sock], [], [], 0.4)
        c.hello()
        c.ended()
        took = time.monotonic() - last
        assert took > 0.9, f"idle for {took} s"
    return took < 3


def ends_idle_connections():
    s = Server("-t", "1")
    try:
        start = time.monotonic()
        with s.connect() as silent, s.connect() as c:
            silent.ended()
            took = time.monotonic() - start
            assert 0.9 < took < 3, f"silent for {took} s"
            c.fill()  # it is gone as well
        wait_until("it is in time", lambda: is_not_idle(s))
        s.check()
        s.end()
    finally:
        s.kill()


def an_idle_connection_ends_in_time():
    mostly(ends_idle_connections)


def ends_slow_heads():
    s = Server("-t", "1")
    try:
        start = time.monotonic()
        with s.connect() as c:
            for byte in request("GET", "/", "A: " + "b" * 100):
                try:
                    c.send(bytes([byte]))
                except (BrokenPipeError, ConnectionResetError):
                    break
                if select.select([c.sock], [], [], 0.1)[0]:
                    break
            else:
                raise AssertionError("the whole head could be sent")
            took = time.monotonic() - start
            assert 0.9 < took < 3, f"half a head for {took} s"
            try:
                expect(c.fill(), b"")
            except ConnectionResetError:
                pass
        s.check()
        s.end()
    finally:
        s.kill()


def a_slow_head_ends_in_time():
    mostly(ends_slow_heads)


def ends_idle(sig):
    s = Server()
    try:
        clients = [s.connect() for _ in range(200)]
        for c in clients[:100]:
            c.hello()
        took = s.end(sig)
        assert took < 2, f"took {took} s"
        for c in clients[:100]:
            c.ended()
        for c in clients:
            c.__exit__()
    finally:
        s.kill()


def ends_at_once_when_all_are_idle():
    for sig in (signal.SIGTERM, signal.SIGINT):
        mostly(ends_idle, sig)


def begins_and_goes_on():
    s = Server()
    try:
        with (s.connect() as head, s.connect() as body, s.connect() as idle,
              s.connect() as late):
            idle.hello()
            late.hello()
            head.hello()
            head.send_seen(GET[:-3])
            body.send_seen(request("POST", "/", "Content-Length: 4",
                                   body=b"ab"))
            s.proc.send_signal(signal.SIGTERM)
            idle.ended()
            late.ended()
            for c, rest, status in ((head, GET[-3:], 200), (body, b"cd", 405)):
                r = c.ask(rest)
                expect((r.status, r["connection"]), (status, "close"))
                c.ended()
            wait_until("it accepts no more", s.refuses)
            expect(s.proc.wait(LIMIT), 0)
    finally:
        s.kill()


def what_was_begun_is_answered():
    unless_late(4, begins_and_goes_on)


def reads_a_long_answer():
    s = Server()
    try:
        with s.connect() as c:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send(GET * 100)
            c.response()
            s.proc.send_signal(signal.SIGTERM)
            for _ in range(99):
                expect(c.response().status, 200)
            c.ended()
            expect(s.proc.wait(LIMIT), 0)
    finally:
        s.kill()


def a_long_answer_is_finished():
    unless_late(4, reads_a_long_answer)


def ends_beside_who_does_not_read():
    s = Server()
    try:
        with s.connect() as half, s.connect() as idle, s.connect() as deaf:
            idle.hello()
            half.send_seen(GET[:-1])
            deaf.sock.setblocking(False)
            try:
                while select.select([], [deaf.sock], [], 0.2)[1]:
                    deaf.sock.send(GET * 100)
            except BlockingIOError:
                pass
            took = s.end()
            assert 4.9 < took < 6, f"took {took} s"
    finally:
        s.kill()


def nobody_keeps_it_from_ending():
    mostly(ends_beside_who_does_not_read)


def fails(status, message, *options):
    p = subprocess.run([BINARY, *options], capture_output=True, text=True,
                       timeout=LIMIT)
    expect((options, p.returncode), (options, status))
    assert re.search(message, p.stderr), p.stderr
    expect(p.stdout, "")


def a_bad_address_is_an_error():
    for addr in ("nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000",
                 "300.1.1.1:x"):
        fails(1, re.escape(addr), "-a", addr)
    fails(1, "192.0.2.1:80", "-a", "192.0.2.1:80")  # not an address of ours


def an_address_in_use_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addr = "127.0.0.1:%d" % taken.getsockname()[1]
        fails(1, "in use", "-a", addr)


def bad_options_are_a_usage_error():
    for options in (("-x",), ("-p", "0"), ("-p", "x"), ("-t", "0"), ("word",),
                    ("-a",)):
        fails(2, "usage", *options)


def it_runs_on_one_proc_and_on_many():
    for procs in ("1", "2", "7"):
        s = Server("-p", procs)
        try:
            many_may_be_idle(s)
            s.check()
            s.end()
        finally:
            s.kill()


ANSWERS = [
    get_says_hello, a_connection_is_kept, head_has_the_length_and_no_body,
    the_root_has_many_names, other_methods_are_not_allowed,
    malformed_requests_end_the_connection, an_error_leaves_earlier_answers,
    other_versions_are_refused, a_long_url_is_refused, a_long_head_is_refused,
    bodies_are_read_and_dropped, chunked_bodies_are_read_and_dropped,
    large_bodies_are_refused, who_is_refused_can_read_why,
    expect_100_is_answered, http_1_0_closes_unless_asked,
    connection_close_is_honoured, an_upgrade_is_ignored,
    pipelined_requests_are_answered_in_order,
    requests_may_come_a_byte_at_a_time, requests_may_be_cut_anywhere,
    a_half_closed_peer_gets_its_answer, a_peer_may_reset,
    a_peer_may_read_late, many_may_be_idle, connections_come_and_go,
]
LIFE = [
    an_idle_connection_ends_in_time, a_slow_head_ends_in_time,
    ends_at_once_when_all_are_idle, what_was_begun_is_answered,
    a_long_answer_is_finished, nobody_keeps_it_from_ending,
    a_bad_address_is_an_error, an_address_in_use_is_an_error,
    bad_options_are_a_usage_error, it_runs_on_one_proc_and_on_many,
]


def with_server(test):
    s = Server()
    try:
        test(s)
        s.check()
        if test in LIFE or not ONLY_ANSWERS:
            s.end()
    finally:
        s.kill()


def run(test):
    start = time.monotonic()
    try:
        if test in ANSWERS:
            with_server(test)
        else:
            test()
    except (AssertionError, OSError, subprocess.SubprocessError) as e:
        line = e.__traceback__
        while line.tb_next:
            line = line.tb_next
        print(f"FAIL {test.__name__}: {type(e).__name__}: {e}", flush=True)
        return False
    print(f"PASS {test.__name__} ({time.monotonic() - start:.2f} s)",
          flush=True)
    return True


if __name__ == "__main__":
    args = sys.argv[1:]
    ONLY_ANSWERS = args[:1] == ["--answers"]
    if ONLY_ANSWERS:
        args = args[1:]
    if not args:
        sys.exit(__doc__.strip())
    BINARY = os.path.abspath(args[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tests = ANSWERS if ONLY_ANSWERS else ANSWERS + LIFE
    tests = [t for t in tests if not args[1:] or t.__name__ in args[1:]]
    failed = [t.__name__ for t in tests if not run(t)]
    print(f"{len(tests) - len(failed)} of {len(tests)} hold")
    sys.exit(1 if failed or not tests else 0)
