"""Slow senders and slow readers: a byte at a time, or nothing at all. They mostly wait, so all of them run at once."""

import ssl
import struct
import time

import http2
from attack import attack, must
from http2 import DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame

# All of the timeouts that clear a connection are below this.
PATIENCE = 45
EVERYWHERE = "agents enrollment socket api"
TLS = "agents enrollment api"


def trickle(sock, data, pause=0.2, seconds=PATIENCE, connection=None):
    """Sends byte by byte. How long until the other side had enough. Fails if it had not."""
    start = time.monotonic()
    sock.settimeout(5)
    for at in range(len(data)):
        try:
            sock.sendall(data[at:at + 1])
            if connection:
                connection.receive(pause)  # answers pings and settings as a good client would
            else:
                until = time.monotonic() + pause
                while (left := until - time.monotonic()) > 0:
                    sock.settimeout(left)
                    try:
                        if not sock.recv(4096):
                            return time.monotonic() - start
                    except TimeoutError:
                        pass
                    sock.settimeout(5)
        except (OSError, http2.Closed):
            return time.monotonic() - start
        if time.monotonic() - start > seconds:
            break
    must(False, f"still served after {time.monotonic() - start:.0f} s")
    return 0


def client_hello(cluster, port):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = cluster.context(port).wrap_bio(incoming, outgoing, server_hostname="hostq-manager")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


@attack(f"{TLS} https", together=True)
def slow_handshake(cluster, port):
    """The TLS handshake byte by byte."""
    with port.tcp() as sock:
        return f"{trickle(sock, client_hello(cluster, port) * 2):.0f} s"


@attack(EVERYWHERE, together=True)
def slow_preface(cluster, port):
    """HTTP/2's preface and settings byte by byte."""
    sock = cluster.secured(port)
    return f"{trickle(sock, (http2.PREFACE + frame(SETTINGS, 0, 0, bytes(6) * 50)) * 1, 0.4):.0f} s"


@attack(EVERYWHERE, together=True)
def slow_headers(cluster, port):
    """One header block byte by byte, in one frame; no ping can be answered within it."""
    sock = cluster.secured(port)
    connection = http2.Connection(sock)
    connection.drain(0.5)
    return f"{trickle(sock, frame(HEADERS, END_HEADERS, 1, http2.request(port.method, [('x-slow', 's' * 5000)]))):.0f} s"


@attack("agents enrollment api", together=True)
def slow_body(cluster, port):
    """A message byte by byte, with every ping answered."""
    connection = cluster.http2(port)
    connection.send(frame(HEADERS, END_HEADERS, 1, http2.request(port.method)))
    connection.drain(0.5)
    body = b"".join(frame(DATA, 0, 1, b"\0") for _ in range(2000))
    return f"{trickle(connection.sock, body, connection=connection):.0f} s"


@attack("agents enrollment", together=True)
def streams_left_open(cluster, port):
    """A hundred streams on each of twenty connections, opened and left, with every ping answered."""
    start = time.monotonic()
    connections = []
    for index in range(20):
        try:
            connection = cluster.http2(port, source=f"127.0.2.{index % 4 + 1}")
            connection.send(b"".join(frame(HEADERS, END_HEADERS, stream, http2.request(port.method))
                                     for stream in range(1, 200, 2)))
            connections.append(connection)
        except http2.Closed:
            pass
    live = connections
    while live and time.monotonic() - start < PATIENCE:
        live = [connection for connection in live if not connection.drain(0.05)]
    must(not live, f"{len(live)} connections with streams that say nothing are open after {PATIENCE} s")
    return f"{len(connections)} let in, {time.monotonic() - start:.0f} s"


@attack("socket", together=True)
def slow_readers(cluster, port):
    """Forty watches of events that read nothing (window 0), while much happens."""
    settings = struct.pack(">HI", 4, 0)
    watchers = []
    for _ in range(40):
        connection = cluster.http2(port, settings=settings)
        connection.send(frame(HEADERS, END_HEADERS, 1, http2.request("/hostq.v1.EventService/WatchEvents")),
                        frame(DATA, END_STREAM, 1, http2.message(b"")))
        watchers.append(connection)
    for index in range(60):
        words = ("pause", "resume")[index % 2]
        cluster.hostq("node", words, "web2", *(["--note", "x" * 200] if words == "pause" else []))
        for connection in watchers:
            try:
                connection.receive(0)
            except http2.Closed:
                pass
    for connection in watchers:
        connection.close()
