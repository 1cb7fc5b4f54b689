"""hostq top and --watch on a terminal: what they draw, that they follow its size, and that it is as it was afterwards,
however they end. Goal: no end leaves a terminal without echo, cursor or its former text. Method: the real program on a
pseudo terminal; its settings are read back from the other side.

Needs HOSTQ_BINARY, and a manager (or one that answers like it) at HOSTQ_SOCKET. Ends with "N passed, N failed"."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
DEADLINE = 60  # of each wait: a loaded machine is slow


def slave_of(master):
    """Where the other side of a terminal is, as ptsname(3) has it (os.ptsname is new in Python 3.13)."""
    number = fcntl.ioctl(master, 0x80045430, struct.pack("I", 0))  # TIOCGPTN
    return f"/dev/pts/{struct.unpack('I', number)[0]}"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, arguments, columns=100, lines=30):
        self.seen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            # The child: its terminal gets its size first.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.environ.pop("COLUMNS", None)
            os.execv(os.environ["HOSTQ_BINARY"], ["hostq", *arguments])
        # Held open, so that the settings can be read when the program is gone.
        self.slave = os.open(slave_of(self.master), os.O_RDWR | os.O_NOCTTY)
        self.before = None

    def read(self, timeout):
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            self.seen += os.read(self.master, 65536)
        except OSError:
            return False
        return True

    def until(self, text, after=0):
        """Reads until `text` has come after that place; where it ends."""
        end = time.monotonic() + DEADLINE
        while (at := self.seen.find(text, after)) < 0:
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} has not come; what came: {self.seen[-2000:]!r}")
            self.read(0.2)
        return at + len(text)

    def resize(self, columns, lines):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def type(self, keys):
        os.write(self.master, keys)

    def settings(self):
        return termios.tcgetattr(self.slave)

    def end(self):
        """Waits for the end: the status of waitpid."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.read(0.05):
                    pass
                return status
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("it does not end")

    def close(self):
        os.close(self.slave)
        os.close(self.master)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def echoes(settings):
    return settings[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON


def is_back(terminal):
    check(terminal.seen.count(ENTER) == terminal.seen.count(LEAVE), "the former screen is not back")
    check(terminal.seen.rstrip().endswith(LEAVE), f"something came after it: {terminal.seen[-200:]!r}")
    check(b"\x1b[?25h" in terminal.seen, "the cursor is not back")
    check(b"\x1b[?7h" in terminal.seen, "lines are not wrapped again")
    check(echoes(terminal.settings()), "the terminal does not echo")


def opened(arguments, **size):
    terminal = Terminal(arguments, **size)
    terminal.until(ENTER)
    terminal.until(b"\x1b[J")
    check(not echoes(terminal.settings()), "keys would be echoed")
    return terminal


def q_quits():
    terminal = opened(["top"])
    check(b"Stuck: 2 causes" in terminal.seen, "what is stuck is not drawn")
    check(b"With the nodes" in terminal.seen, "what runs is not drawn")
    terminal.type(b"q")
    check(terminal.end() == 0, "it does not end with 0")
    is_back(terminal)
    terminal.close()


def control_c_quits():
    terminal = opened(["top"])
    terminal.type(b"\x03")
    check(terminal.end() == 0, "it does not end with 0")
    is_back(terminal)
    terminal.close()


def killed(number):
    terminal = opened(["top"])
    os.kill(terminal.pid, number)
    status = terminal.end()
    check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == number, f"it ends with status {status}")
    is_back(terminal)
    terminal.close()


def follows_size():
    terminal = opened(["top"], columns=200, lines=50)
    place = len(terminal.seen)
    terminal.resize(40, 12)
    end = time.monotonic() + DEADLINE
    while True:
        # One that was begun before may still come.
        place = terminal.until(b"\x1b[H", place)
        frame = terminal.seen[place:terminal.until(b"\x1b[J", place)]
        lines = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", frame).split(b"\r\n")
        if len(lines) <= 12 and all(len(line.decode()) <= 40 for line in lines):
            break
        check(time.monotonic() < end, f"too large for 40 by 12: {lines}")
    terminal.type(b"q")
    check(terminal.end() == 0, "it does not end with 0")
    is_back(terminal)
    terminal.close()


def keeps_the_last_letter():
    """What is erased to the right of a line as wide as the screen is its own last letter, if it is erased afterwards."""
    terminal = opened(["top"], columns=40)
    place = terminal.until(b"\x1b[H")
    terminal.until(b"\x1b[J", place)
    end = terminal.until(b"\x1b[H", place)
    for line in terminal.seen[place:end - len(b"\x1b[H")].split(b"\r\n"):
        check(line.startswith((b"\x1b[K", b"\x1b[J")), f"not erased before it is written: {line!r}")
        check(len(re.findall(rb"\x1b\[[KJ]", line)) == 1, f"erased afterwards: {line!r}")
    terminal.type(b"q")
    terminal.end()
    terminal.close()


def redraws_by_itself():
    terminal = opened(["top"])
    place = len(terminal.seen)
    for _ in range(2):
        place = terminal.until(b"\x1b[J", place)
    terminal.type(b"q")
    terminal.end()
    terminal.close()


def stops_and_goes_on():
    terminal = opened(["top"])
    os.kill(terminal.pid, signal.SIGTSTP)
    deadline = time.monotonic() + DEADLINE
    while os.waitpid(terminal.pid, os.WUNTRACED | os.WNOHANG)[0] == 0:
        check(time.monotonic() < deadline, "it does not stop")
        terminal.read(0.05)
    is_back(terminal)
    place = len(terminal.seen)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.until(ENTER, place)
    terminal.until(b"\x1b[J", place)
    check(not echoes(terminal.settings()), "keys would be echoed")
    terminal.type(b"q")
    check(terminal.end() == 0, "it does not end with 0")
    is_back(terminal)
    terminal.close()


def watch_is_live():
    terminal = opened(["node", "list", "--watch"])
    check(b"web1" in terminal.seen, "the nodes are not drawn")
    terminal.type(b"\x03")
    check(terminal.end() == 0, "it does not end with 0")
    is_back(terminal)
    terminal.close()


def errors_come_after_the_screen():
    terminal = Terminal(["account", "show", "nosuch.example", "--watch"])
    status = terminal.end()
    check(os.WEXITSTATUS(status) == 3, f"it ends with status {status}")
    check(terminal.seen.rfind(b"hostq: UNKNOWN_ACCOUNT") > terminal.seen.rfind(LEAVE), "the error is not seen")
    check(echoes(terminal.settings()), "the terminal does not echo")
    terminal.close()


TESTS = [q_quits, control_c_quits, lambda: killed(signal.SIGTERM), lambda: killed(signal.SIGHUP), follows_size,
         keeps_the_last_letter, redraws_by_itself, stops_and_goes_on, watch_is_live, errors_come_after_the_screen]


def main():
    failed = 0
    for test in TESTS:
        try:
            test()
        except AssertionError as error:
            failed += 1
            print(f"FAILED {test.__name__}: {error}")
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
