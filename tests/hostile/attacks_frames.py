"""Frames that are wrong: lengths, streams, header blocks, messages."""

import gzip
import os
import struct
import zlib

import http2
from attack import attack, must
from http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM,
                   SETTINGS, WINDOW_UPDATE, frame)

EVERYWHERE = "agents enrollment socket api"
# More than any listener leaves a connection idle (manager/listener_limits.cc: 30 s).
IDLE_SECONDS = 40


def opened(port, stream=1, extra=b"", end=0):
    return frame(HEADERS, END_HEADERS | end, stream, http2.request(port.method) + extra)


def must_end(cluster, port, what, *parts, body=None, ignored=False, seconds=8):
    """These frames end the connection, or stream 1, and not well, within so many seconds. `ignored`: or they do nothing at all."""
    try:
        connection = cluster.http2(port)
        connection.send(*parts)
        heard = connection.send_body(body) if body is not None else ()
        answer = connection.status(1, 1 if ignored else seconds, heard)
        if answer == "timeout" and ignored:
            answer = connection.call(port.path, port.body, 3)
            must(answer.isdigit(), f"after {what}: {answer}")
            return
    except http2.Closed:
        return
    must(answer != "timeout" and (ignored or answer != "0"), f"{what}: {answer}")


@attack(EVERYWHERE)
def malformed_frames(cluster, port):
    """Wrong lengths, wrong streams, frames out of order, settings out of range: the connection or the stream ends."""
    block = http2.request(port.method)
    for what, *parts in (
            ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, b"12345")),
            ("SETTINGS on a stream", frame(SETTINGS, 0, 1)),
            ("SETTINGS acknowledgement with a body", frame(SETTINGS, ACK, 0, b"123456")),
            ("an initial window of 2^31", frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31))),
            ("a largest frame of 1", frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1))),
            ("PING of 7 bytes", frame(PING, 0, 0, b"1234567")),
            ("WINDOW_UPDATE of 3 bytes", frame(WINDOW_UPDATE, 0, 0, b"123")),
            ("RST_STREAM of 2 bytes", opened(port) + frame(RST_STREAM, 0, 1, b"12")),
            ("GOAWAY of 3 bytes", frame(GOAWAY, 0, 0, b"123")),
            ("DATA on stream 0", frame(DATA, 0, 0, b"x")),
            ("HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, block)),
            ("CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, block)),
            ("another frame within a header block", frame(HEADERS, 0, 1, block[:20]), frame(PING, 0, 0, b"12345678")),
            ("CONTINUATION of another stream", frame(HEADERS, 0, 1, block[:20]), frame(CONTINUATION, END_HEADERS, 3, block[20:])),
            ("a frame of 16 MiB", opened(port) + frame(DATA, 0, 1, b"", (1 << 24) - 1) + os.urandom(100_000)),
            ("padding longer than the frame", frame(HEADERS, END_HEADERS | 8, 1, b"\xff" + block)),
            ("DATA padded with more than it has", opened(port) + frame(DATA, 8, 1, b"\xff12")),
            ("an index that is in no table", frame(HEADERS, END_HEADERS, 1, http2.integer(4000, 7, 0x80))),
            ("index 0", frame(HEADERS, END_HEADERS, 1, b"\x80")),
            ("an integer without end", frame(HEADERS, END_HEADERS, 1, b"\xff" * 40)),
            ("a table of 2^30", frame(HEADERS, END_HEADERS, 1, http2.integer(1 << 30, 5, 0x20) + block)),
            ("a header cut off", frame(HEADERS, END_HEADERS, 1, block[:-3])),
            ("a name of 2^28 bytes", frame(HEADERS, END_HEADERS, 1, b"\x00" + http2.integer(1 << 28, 7) + b"x" * 100)),
            ("nonsense in Huffman", frame(HEADERS, END_HEADERS, 1, b"\x00\x84\xff\xff\xff\xff\x01x")),
            ("no pseudo header", frame(HEADERS, END_HEADERS | END_STREAM, 1, http2.literal("te", "trailers")))):
        must_end(cluster, port, what, *parts, ignored=what.startswith(("DATA on", "HEADERS on", "SETTINGS acknow")))
    # Noise may be taken for the beginning of a frame: then the connection ends when it has been idle for too long.
    for what, part in (("noise", os.urandom(50_000)), ("an unknown frame without end", frame(0xFE, 0, 0, b"?" * 1000, (1 << 24) - 1))):
        must_end(cluster, port, what, part, seconds=IDLE_SECONDS)


@attack(EVERYWHERE)
def unknown_frames(cluster, port):
    """Frames of unknown types, PRIORITY of streams that never were: ignored, or the end of the connection; a PUSH_PROMISE of a client
    makes nothing."""
    for parts in (frame(0xFE, 0xFF, 0, b"?" * 1000), frame(0x0A, 0, 7, b""), frame(PRIORITY, 0, 9, b"\0\0\0\1\x10"),
                  frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2")):
        try:
            connection = cluster.http2(port)
            connection.send(parts)
            answer = connection.call(port.path, port.body, 3)
        except http2.Closed:
            continue
        must(answer.isdigit(), f"after a frame it does not know: {answer}")


@attack(EVERYWHERE, heavy=True)
def header_bombs(cluster, port):
    """Header blocks of 4 MiB on twenty connections, of one header and of many, never finished; HPACK bombs (one entry of 4 KiB,
    named 160,000 times: 600 MiB if it were kept). What is too large is not kept, whether the call is answered or not."""
    start = http2.request(port.method)
    big = frame(CONTINUATION, 0, 1, http2.literal("x-large", "x" * 16_000))
    many = frame(CONTINUATION, 0, 1, b"".join(http2.literal(f"x-{i}", "y") for i in range(1500))[:16_000])
    bomb = frame(CONTINUATION, 0, 1, b"\xbe" * 16_000)
    held = []
    for index in range(20):
        try:
            connection = cluster.http2(port)
            if index % 4 == 3:
                first = start + http2.literal("x-bomb", "b" * 3_900, indexed=True)
                connection.send(frame(HEADERS, 0, 1, first), *[bomb] * 10)
            else:
                connection.send(frame(HEADERS, 0, 1, start), *[many if index % 4 == 2 else big] * 260)
            held.append(connection)
        except http2.Closed:
            pass
    for connection in held:
        try:
            connection.send(frame(CONTINUATION, END_HEADERS, 1), frame(DATA, END_STREAM, 1, http2.message(b"")))
            connection.status(1, 0.5)
        except http2.Closed:
            pass
    return f"{len(held)} of 20 were let send it all"


@attack(EVERYWHERE, heavy=True)
def wrong_messages(cluster, port):
    """gRPC messages: longer than they say, than they may be, compressed, bombs that unpack to 50 MiB, protobuf that is cut off. Each ends
    its call with an error."""
    body = http2.field(1, "x" * 100)
    zeros = b"\0" * (50 << 20)
    gzipped, deflated = http2.literal("grpc-encoding", "gzip"), http2.literal("grpc-encoding", "deflate")
    for what, extra, sent in (
            ("a length of 4 GiB", b"", http2.message(body, length=0xFFFFFFFF)),
            ("a message of 5 MiB", b"", http2.message(os.urandom(5 << 20))),
            ("a message cut off", b"", http2.message(body, length=1000)),
            ("good gzip", gzipped, http2.message(gzip.compress(body), compressed=1)),
            ("not gzip at all", gzipped, http2.message(os.urandom(1000), compressed=1)),
            ("a gzip bomb", gzipped, http2.message(gzip.compress(zeros), compressed=1)),
            ("a deflate bomb", deflated, http2.message(zlib.compress(zeros), compressed=1)),
            ("gzip that does not say so", b"", http2.message(gzip.compress(body), compressed=1)),
            ("protobuf cut off", b"", http2.message(b"\x0a\xff\xff\x7fabc")),
            ("no protobuf", b"", http2.message(b"\xff" * 100))):
        must_end(cluster, port, what, opened(port, extra=extra), body=sent, ignored=port.name == "agents")


@attack("enrollment socket api")
def flags_without_meaning(cluster, port):
    """Messages that say that they are compressed, in no way or in one that nobody knows, and are not: gRPC 1.51, told to unpack
    nothing, takes them for what they are. That is no harm, and all that is asked is that they get what the same message gets otherwise,
    or an error."""
    body = port.body or http2.field(1, "x" * 100)
    headers = b"".join(http2.literal(*one) for one in port.headers)

    def status(sent, extra=b""):
        try:
            connection = cluster.http2(port)
            connection.send(frame(HEADERS, END_HEADERS, 1, http2.request(port.path) + headers + extra),
                            frame(DATA, END_STREAM, 1, sent))
            return connection.status(1, 5)
        except http2.Closed:
            return "closed"

    plain = status(http2.message(body))
    must(plain == port.good, f"the message itself gets {plain}")
    for what, extra, flag in (("compressed, but how", b"", 1), ("compressed as nobody does", http2.literal("grpc-encoding", "rot13"), 1),
                              ("a flag of 7", b"", 7), ("a flag of 255", b"", 255)):
        got = status(http2.message(body, compressed=flag), extra)
        must(got == plain or got == "closed" or got.startswith("reset") or (got.isdigit() and got != "0"), f"{what}: {got}")


@attack(EVERYWHERE)
def windows(cluster, port):
    """Flow control: windows beyond 2^31, increments of 0, more data than the window takes."""
    more = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF))
    for what, *parts in (
            ("a stream's window beyond 2^31", opened(port), *[frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 0x7FFFFFFF))] * 3),
            ("the connection's window beyond 2^31", more, more, more, opened(port, end=END_STREAM)),
            ("an increment of 0", opened(port), frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0")),
            ("more than the window", opened(port), *[frame(DATA, 0, 1, os.urandom(16_384))] * 800)):
        if port.name == "agents" and what.startswith("a stream"):
            continue  # a session may stay open: its window is its own affair
        try:
            connection = cluster.http2(port)
            connection.send(*parts)
            connection.status(1, 2)
        except http2.Closed:
            continue
