"""The cluster under attack: a real manager, a real agent with a session, and what is measured of them."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import certificates
import http2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("HOSTQ_BIN", os.path.join(ROOT, "build/release/bin"))
# Where attacks come from (each from an address of its own: run.py), and where the others are meanwhile.
ATTACKER, OTHERS = "127.7.0.1", "127.0.0.77"


class Port:
    """A listener: where it is, how one gets in, and one harmless call that it answers to others."""

    def __init__(self, name, address, tls, mutual, path, body=b"", method=None, good="0", headers=(), alpn="h2"):
        self.name, self.address, self.tls, self.mutual = name, address, tls, mutual
        # A call that others make: with these headers it is answered with the status `good`.
        self.path, self.body, self.good, self.headers = path, body, good, headers
        self.alpn = alpn
        # One that reads what it is sent.
        self.method = method or path

    def tcp(self, source=None, timeout=10):
        """A connection without TLS."""
        if isinstance(self.address, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(timeout)
            sock.connect(self.address)
            return sock
        sock = socket.socket()
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((source or ATTACKER, 0))
        sock.connect(self.address)
        return sock


class Cluster:
    def __init__(self, more=""):
        """`more`: of the manager's configuration."""
        self.more = more
        self.dir = tempfile.mkdtemp(prefix="hostq-hostile-")
        os.chmod(self.dir, 0o755)  # the agent is nobody
        self.programs = {}
        self.socket = f"{self.dir}/manager.sock"
        self.config = f"{self.dir}/manager.toml"
        self.log = f"{self.dir}/manager.log"
        self.agents, self.enrollment, self.api, self.https = (free_port() for _ in range(4))
        self.node = self.key = None
        self.init_output = ""

    # --- programs ---

    def write_config(self, level="info"):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'state_dir = "{self.dir}/state"\n[cluster]\nname = "hostile"\nquorum_address = "127.0.0.1"\n'
                       f'[listen]\nagents = "127.0.0.1:{self.agents}"\nenrollment = "127.0.0.1:{self.enrollment}"\n'
                       f'admin_socket = "{self.socket}"\n')
            file.write(f'api = "127.0.0.1:{self.api}"\nhttps = "127.0.0.1:{self.https}"\n')
            file.write(self.more)
            file.write(f'[log]\nlevel = "{level}"\n[limits]\nheartbeat_interval = "2s"\n')

    def start_manager(self, level="info"):
        self.write_config(level)
        self.init_output = run([f"{BIN}/hostq-manager", "init", "--config", self.config])
        self.start_program("manager", [f"{BIN}/hostq-manager", "run", "--config", self.config])
        eventually(20, lambda: self.hostq("node", "list").returncode == 0, "the manager does not start")

    def start(self):
        self.start_manager()
        self.join("web1", "127.0.0.11")
        self.start_program("agent", [f"{BIN}/hostq-agent", "run", "--config", f"{self.dir}/web1/agent.toml"])
        eventually(20, lambda: self.sessions() == 1, "the agent gets no session")
        # A node that was taken over: what attacks have that need a certificate.
        self.join("web2", "127.0.0.12")
        self.node = self.identity("web2")
        self.key = self.new_key("others", "--rate", "1000/s")

    def new_key(self, name, *options):
        """The text of an API key that may only read."""
        out = self.hostq("key", "create", name, "--scope", "read", *options)
        text = re.search(r"hostq_[a-z2-7]{10}_[a-z2-7]{47}", out.stdout)
        if not text:
            raise RuntimeError(f"key create {name}: {out.stderr}{out.stdout}")
        return text[0]

    def identity(self, node):
        directory = f"{self.dir}/{node}/state/identity"
        return certificates.Identity(f"{directory}/node.crt", f"{directory}/node.key")

    def start_program(self, name, words):
        with open(f"{self.dir}/{name}.log", "ab") as log:
            self.programs[name] = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def stop_program(self, name):
        program = self.programs.pop(name)
        program.send_signal(signal.SIGTERM)
        try:
            return program.wait(20)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            return None

    def stop(self):
        for name in list(self.programs):
            self.stop_program(name)

    def remove(self):
        self.stop()
        if os.environ.get("HOSTQ_KEEP"):
            print(f"logs are in {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def hostq(self, *words):
        return subprocess.run([f"{BIN}/hostq", "--socket", self.socket, *words], capture_output=True, text=True,
                              timeout=60, check=False)

    def add(self, name, address):
        """The line that joins it."""
        out = self.hostq("node", "add", name, "--role", "app", "--address", address, "--output", "json")
        if out.returncode:
            raise RuntimeError(f"node add {name}: {out.stderr}")
        return json.loads(out.stdout)["joinCommand"]

    def join(self, name, address, line=None):
        directory = f"{self.dir}/{name}"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/agent.toml", "w", encoding="utf-8") as file:
            file.write(f'user = "nobody"\nstate_dir = "{directory}/state"\n[log]\nlevel = "debug"\n'
                       f'[executor]\nrun_dir = "{directory}/run"\nstate_dir = "{directory}/executor"\n')
        words = (line or self.add(name, address)).split()
        words = [f"{BIN}/{words[0]}", *words[1:], "--config", f"{directory}/agent.toml"]
        for _ in range(10):
            try:
                return run(words)
            except RuntimeError as error:
                if "RATE_LIMITED" not in str(error):
                    raise
                time.sleep(1.1)  # one a second from one address; the same line can be used again
        return run(words)

    # --- ports ---

    def ports(self):
        """Every port."""
        call = "/hostq.v1.NodeService/ListNodes"
        return [
            Port("agents", ("127.0.0.1", self.agents), True, True, "/hostq.agent.v1.SessionService/None",
                 method="/hostq.agent.v1.SessionService/Connect", good="12"),
            Port("enrollment", ("127.0.0.1", self.enrollment), True, False,
                 "/hostq.agent.v1.EnrollmentService/Enroll", http2.field(1, "hqj_none"), good="3"),
            Port("socket", self.socket, False, False, call),
            Port("api", ("127.0.0.1", self.api), True, False, call,
                 headers=[("authorization", f"Bearer {self.key}")] if self.key else ()),
            Port("https", ("127.0.0.1", self.https), True, False, "/v1/nodes", good="200", alpn="http/1.1",
                 headers=[("authorization", f"Bearer {self.key}")] if self.key else ()),
        ]

    def port(self, name):
        return next(port for port in self.ports() if port.name == name)

    def context(self, port, identity="own", version=None, alpn=True):
        """TLS as a peer of this port has it; `identity` None: without a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(f"{self.dir}/state/ca/ca.pem")
        context.verify_mode = ssl.CERT_NONE
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        if alpn:
            context.set_alpn_protocols([port.alpn])
        if identity == "own":
            identity = self.node if port.mutual else None
        if identity:
            context.load_cert_chain(identity.certificate, identity.key)
        return context

    def secured(self, port, source=None, identity="own", version=None, timeout=10):
        """A connection on which HTTP/2 may be spoken. Raises OSError."""
        sock = port.tcp(source, timeout)
        if not port.tls:
            return sock
        try:
            return self.context(port, identity, version).wrap_socket(sock, server_hostname="hostq-manager")
        except BaseException:
            sock.close()
            raise

    def http2(self, port, source=None, identity="own", settings=b""):
        try:
            return http2.Connection(self.secured(port, source, identity), settings)
        except OSError as error:
            raise http2.Closed(str(error)) from error

    def serves(self, port, source=OTHERS):
        """One whole connection and call as others make them: how long it took until it was connected, TLS included. Raises if the answer
        is not the right one."""
        start = time.monotonic()
        if port.alpn != "h2":
            return self.serves_http1(port, source)
        connection = self.http2(port, source)
        connected = time.monotonic() - start
        status = connection.call(port.path, port.body, timeout=20, extra=port.headers)
        connection.close()
        if status != port.good:
            raise RuntimeError(f"port {port.name} answers others with {status}")
        return connected

    def serves_http1(self, port, source):
        start = time.monotonic()
        connection = http.client.HTTPConnection("hostq-manager")
        connection.sock = self.secured(port, source, timeout=20)
        connected = time.monotonic() - start
        connection.request("GET", port.path, headers=dict(port.headers))
        status = str(connection.getresponse().status)
        connection.close()
        if status != port.good:
            raise RuntimeError(f"port {port.name} answers others with {status}")
        return connected

    # --- what is measured ---

    @property
    def pid(self):
        return self.programs["manager"].pid

    def alive(self):
        return all(program.poll() is None for program in self.programs.values())

    def memory(self):
        """VmRSS of the manager, MiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024

    def peak_reset(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def peak(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) / 1024

    def cpu(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            words = file.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def log_size(self):
        return os.path.getsize(self.log)

    def log_since(self, offset):
        with open(self.log, "rb") as file:
            file.seek(offset)
            return file.read().decode("utf-8", "replace")

    def audit_head(self):
        return int(json.loads(self.hostq("audit", "head", "--output", "json").stdout)["head"]["sequence"])

    def audit(self, since):
        """The entries after this one, as JSON says them."""
        out = self.hostq("audit", "export", "--since", str(since))
        if out.returncode:
            raise RuntimeError(f"audit export: {out.stderr}")
        return [json.loads(line) for line in out.stdout.splitlines()[:-1]]

    def refusals(self, since):
        """Those that say that somebody was refused, as "ACT OUTCOME ACTOR SOURCE"."""
        return [f"{entry['act']} {entry['outcome']} {entry['actor']} {entry.get('source', '')}" for entry in self.audit(since)
                if entry.get("outcome", "CODE_UNSPECIFIED") != "CODE_UNSPECIFIED"]

    def alarms(self):
        """SUBJECT: REASON."""
        out = json.loads(self.hostq("alarm", "list", "--output", "json").stdout)
        return {alarm["subject"]: alarm["reason"] for alarm in out.get("alarms", [])}

    def sessions(self):
        """How many times the agent's session began, as the log says: once, if it was never lost."""
        return len(re.findall(r"node connected .*\bnode=web1\b", self.log_since(0)))


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def run(words):
    out = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if out.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {out.returncode}: {out.stderr}{out.stdout}")
    return out.stdout + out.stderr


def eventually(seconds, check, what):
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            raise RuntimeError(what)
        time.sleep(0.05)
