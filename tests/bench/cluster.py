"""A manager as shipped, on the real disk, with certificates from outside, so that its nodes need not join."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(ROOT, "build/release/bin")
LOAD = os.path.join(ROOT, "build/release/bench/hostq_load")
DATA = os.path.join(ROOT, "build/bench")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def run(argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def load(*argv, timeout=600):
    """What hostq_load has measured."""
    return json.loads(run([LOAD, *map(str, argv)], timeout=timeout))


class Cluster:
    def __init__(self, nodes, name="manager"):
        self.nodes, self.dir = nodes, os.path.join(DATA, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.agents, self.enrollment, self.api, self.https = (free_port() for _ in range(4))
        # A path of a socket is short.
        self.socket = f"/tmp/hostq-bench-{os.getpid()}-{name}.sock"
        self.config = f"{self.dir}/manager.toml"
        self.key_file = f"{self.dir}/key"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'state_dir = "{self.dir}/state"\n[cluster]\nname = "bench"\nquorum_address = "127.0.0.1"\n'
                       f'[listen]\nagents = "127.0.0.1:{self.agents}"\nenrollment = "127.0.0.1:{self.enrollment}"\n'
                       f'api = "127.0.0.1:{self.api}"\nhttps = "127.0.0.1:{self.https}"\nadmin_socket = "{self.socket}"\n'
                       
                       '[limits]\nrequests_per_second = 1000000\nconnections = 20000\nconnections_per_address = 20000\n')
        run([LOAD, "certificates", "--directory", self.dir])
        run([f"{BIN}/hostq-manager", "init", "--config", self.config, "--ca-cert", f"{self.dir}/ca.pem", "--server-cert",
             f"{self.dir}/server.pem", "--server-key", f"{self.dir}/server.key"])
        self.process = None
        self.start()
        run([LOAD, "nodes", "--socket", self.socket, "--nodes", str(nodes)])
        made = json.loads(self.hostq("key", "create", "bench", "--scope", "submit:ping", "--scope", "read", "--rate", "1000000/s",
                                     "--max-unfinished", "10000000", "--output", "json"))
        with open(os.open(self.key_file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(made["text"])

    def start(self):
        with open(f"{self.dir}/manager.log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([f"{BIN}/hostq-manager", "run", "--config", self.config], stdout=log, stderr=log)
        begun = time.monotonic()
        while subprocess.run([f"{BIN}/hostq", "--socket", self.socket, "node", "list"], capture_output=True).returncode != 0:
            if time.monotonic() - begun > 60 or self.process.poll() is not None:
                raise RuntimeError(f"the manager does not start: {self.dir}/manager.log")
            time.sleep(0.02)
        return time.monotonic() - begun

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def hostq(self, *argv):
        return run([f"{BIN}/hostq", "--socket", self.socket, *argv])

    def load(self, *argv, seconds=5, warm_up=1):
        return load("run", "--directory", self.dir, "--agents-address", f"127.0.0.1:{self.agents}", "--api",
                    f"127.0.0.1:{self.api}", "--key-file", self.key_file, "--manager-pid", self.process.pid, "--nodes",
                    self.nodes, "--seconds", seconds, "--warm-up", warm_up, *argv)

    def idle(self, seconds=5):
        return load("idle", "--directory", self.dir, "--agents-address", f"127.0.0.1:{self.agents}", "--manager-pid",
                    self.process.pid, "--nodes", self.nodes, "--seconds", seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        shutil.rmtree(self.dir, ignore_errors=True)
