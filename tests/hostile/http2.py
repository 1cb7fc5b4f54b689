"""HTTP/2 and gRPC by hand: frames, header blocks without Huffman, and a client that does no more than it is told."""

import select
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4


def frame(kind, flags, stream, payload=b"", length=None):
    """A frame; `length` lies about its size."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def integer(value, bits, first=0):
    """HPACK's integer (RFC 7541, 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((first | value,))
    out = bytearray((first | limit,))
    value -= limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def text(value):
    data = value if isinstance(value, bytes) else value.encode("latin-1")
    return integer(len(data), 7) + data


def literal(name, value, indexed=False):
    """A header field with its name spelled out; `indexed` puts it into the peer's dynamic table."""
    return (b"\x40" if indexed else b"\x00") + text(name) + text(value)


def request(path, extra=(), method="POST", scheme="http", authority="hostq-manager", content="application/grpc"):
    """The header block of a gRPC call."""
    fields = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority),
              ("te", "trailers"), ("content-type", content)]
    return b"".join(literal(name, value) for name, value in [*fields, *extra])


def message(body, compressed=0, length=None):
    """gRPC's length-prefixed message."""
    return struct.pack(">BI", compressed, len(body) if length is None else length) + body


def field(number, value):
    """A protobuf field: text, bytes or a nested message."""
    data = value if isinstance(value, bytes) else value.encode()
    out = bytearray()
    for number_ in (number << 3 | 2, len(data)):
        while number_ > 127:
            out.append(number_ & 127 | 128)
            number_ >>= 7
        out.append(number_)
    return bytes(out) + data


class Closed(Exception):
    """The other side has closed the connection, with or without saying why."""


class Connection:
    """The client's side of one HTTP/2 connection. It acknowledges settings and pings, and nothing else."""

    def __init__(self, sock, settings=b""):
        self.sock = sock
        self.buffer = b""
        self.goaway = None
        # What may be sent: of the connection, and of stream 1, which is the only one with much to say.
        self.window = self.stream_window = 65535
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, *parts):
        try:
            self.sock.sendall(b"".join(parts))
        except OSError as error:
            raise Closed(str(error)) from error

    def _take(self, answer=True):
        """The frames that are complete in the buffer."""
        out = []
        while len(self.buffer) >= 9:
            size = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + size:
                break
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF
            payload = self.buffer[9:9 + size]
            self.buffer = self.buffer[9 + size:]
            out.append((kind, flags, stream, payload))
            if kind == GOAWAY:
                self.goaway = (int.from_bytes(payload[4:8], "big"), payload[8:].decode("latin-1"))
            if kind == WINDOW_UPDATE and stream in (0, 1):
                more = int.from_bytes(payload, "big")
                self.window += more * (stream == 0)
                self.stream_window += more * (stream == 1)
            if kind == SETTINGS:
                for at in range(0, len(payload), 6):
                    if payload[at:at + 2] == b"\0\4":
                        self.stream_window += int.from_bytes(payload[at + 2:at + 6], "big") - 65535
            if answer and not flags & ACK and kind in (SETTINGS, PING):
                self.send(frame(kind, ACK, 0, payload if kind == PING else b""))
        return out

    def receive(self, timeout=5.0, answer=True):
        """The next frames; [] if none came. Raises Closed."""
        out = self._take(answer)
        if out:
            return out
        pending = getattr(self.sock, "pending", lambda: 0)
        if not pending() and not select.select([self.sock], [], [], max(timeout, 0))[0]:
            return []
        try:
            self.sock.settimeout(max(timeout, 0.01))
            data = self.sock.recv(65536)
        except (TimeoutError, socket.timeout):
            return []
        except OSError as error:
            raise Closed(str(error)) from error
        finally:
            try:
                self.sock.settimeout(30)
            except OSError:
                pass
        if not data:
            raise Closed("end of stream" if self.goaway is None else f"GOAWAY {self.goaway}")
        self.buffer += data
        return self._take(answer)

    def drain(self, seconds, answer=True):
        """Reads until closed or for `seconds`. True: closed."""
        until = time.monotonic() + seconds
        try:
            while (left := until - time.monotonic()) > 0:
                self.receive(left, answer)
        except Closed:
            return True
        return False

    def send_body(self, data, timeout=5.0):
        """All of it on stream 1, as fast as the other side's windows let it, and the end of the stream. The frames on the stream
        that came meanwhile: then the other side has heard enough."""
        until = time.monotonic() + timeout
        at = 0
        heard = []
        while at < len(data) and time.monotonic() < until and not heard:
            size = min(16_384, len(data) - at, self.window, self.stream_window)
            if size > 0:
                self.send(frame(DATA, 0, 1, data[at:at + size]))
                at += size
                self.window -= size
                self.stream_window -= size
            heard = [one for one in self.receive(0 if size > 0 else 0.5) if one[2] == 1 and one[0] in (HEADERS, RST_STREAM)]
        if not heard:
            self.send(frame(DATA, END_STREAM, 1))
        return heard

    def call(self, path, body=b"", stream=1, timeout=10.0, extra=(), **fields):
        """A whole call: its grpc-status, "http NNN" if that is missing, "reset N", or "timeout"."""
        self.send(frame(HEADERS, END_HEADERS, stream, request(path, extra, **fields)),
                  frame(DATA, END_STREAM, stream, message(body)))
        return self.status(stream, timeout)

    def status(self, stream, timeout=10.0, heard=()):
        until = time.monotonic() + timeout
        seen = b""
        while heard or (left := until - time.monotonic()) > 0:
            frames, heard = heard or self.receive(left), ()
            for kind, flags, at, payload in frames:
                if at != stream:
                    continue
                if kind == RST_STREAM:
                    return f"reset {int.from_bytes(payload, 'big')}"
                if kind == DATA:
                    self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", max(1, len(payload)))))
                if kind == HEADERS:
                    seen += payload
                    if flags & END_STREAM:
                        return status_in(seen)
        return "timeout"

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass


def status_in(block):
    """The status in a header block of gRPC 1.51, which never uses Huffman and puts names into its table at most."""
    at = block.find(b"grpc-status")
    if at < 0:
        return f"http {block[:24].hex()}"
    at += len(b"grpc-status")
    size = block[at] & 127
    return block[at + 1:at + 1 + size].decode("latin-1")
