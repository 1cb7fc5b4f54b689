"""Other durable queues, from Debian's packages, as their documents say how nothing is lost; each on loopback, plain text."""

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from cluster import DATA, ROOT, free_port, run

PEER_LOAD = os.path.join(ROOT, "build/release/bench/peer_load")


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Peer:
    """A server that is started for a measurement and ended after it."""

    name = user = None

    def __init__(self):
        self.dir = os.path.join(DATA, self.name)
        self.port = free_port()
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        if self.user:
            owner = pwd.getpwnam(self.user)
            os.chown(self.dir, owner.pw_uid, owner.pw_gid)
            # Its user has to get there.
            path = self.dir
            while path != "/":
                path = os.path.dirname(path)
                os.chmod(path, os.stat(path).st_mode | 0o011)
        self.process = None
        with open(f"{self.dir}.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.dir, env=self.environment(),
                                            start_new_session=True)
        begun = time.monotonic()
        while not answers(self.port):
            if time.monotonic() - begun > 60 or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} does not start: {self.dir}.log")
            time.sleep(0.1)
        time.sleep(1)

    def environment(self):
        return dict(os.environ)

    def as_user(self, *argv):
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", *argv]

    def load(self, *argv, peer=None, seconds=5, warm_up=1):
        return json.loads(run([PEER_LOAD, "--peer", peer or self.name, "--port", str(self.port), "--seconds", str(seconds),
                               "--warm-up", str(warm_up), *map(str, argv)], timeout=300))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Redis(Peer):
    name = "redis"

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.dir, "--appendonly", "yes",
                "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0"]


class Beanstalkd(Peer):
    name = "beanstalkd"

    def command(self):
        return ["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), "-b", self.dir, "-f0"]


class Postgres(Peer):
    name, user = "postgres", "postgres"
    programs = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"))), "/usr/lib/postgresql/15/bin")

    def command(self):
        data = f"{self.dir}/data"
        run(self.as_user(f"{self.programs}/initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C"), cwd=self.dir)
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.dir, "fsync": "on",
                    "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "1GB", "max_wal_size": "4GB",
                    "min_wal_size": "1GB", "checkpoint_timeout": "15min", "max_connections": 200}
        return self.as_user(f"{self.programs}/postgres", "-D", data, *(f"--{key}={value}" for key, value in settings.items()))


class Rabbit(Peer):
    name, user = "rabbitmq", "rabbitmq"

    def command(self):
        with open(f"{self.dir}/rabbitmq.conf", "w", encoding="utf-8") as file:
            file.write(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nvm_memory_high_watermark.relative = 0.4\n")
        return self.as_user("/usr/lib/rabbitmq/bin/rabbitmq-server")

    def environment(self):
        self.epmd_port = str(free_port())
        return dict(os.environ, ERL_EPMD_ADDRESS="127.0.0.1", ERL_EPMD_PORT=self.epmd_port, HOME=self.dir,
                    RABBITMQ_NODENAME="bench@localhost", RABBITMQ_MNESIA_BASE=self.dir, RABBITMQ_LOG_BASE=self.dir,
                    RABBITMQ_CONFIG_FILE=f"{self.dir}/rabbitmq.conf", RABBITMQ_ENABLED_PLUGINS_FILE=f"{self.dir}/plugins",
                    RABBITMQ_DIST_PORT=str(free_port()), RABBITMQ_PID_FILE=f"{self.dir}/pid",
                    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}")

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        # A process of its own, which stays otherwise.
        subprocess.run(["epmd", "-port", self.epmd_port, "-kill"], capture_output=True)
