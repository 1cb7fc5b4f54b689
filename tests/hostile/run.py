"""Runs the attacks against a manager and an agent that it starts; see README.md. Called by run.sh."""

import argparse
import multiprocessing
import os
import re
import resource
import sys
import time
import traceback

import attack
import attacks_flood
import attacks_frames
import attacks_guess
import attacks_https
import attacks_requests
import attacks_slow
import attacks_tls
import http2
import manager

# What must hold; README.md says why these.
# After each attack, and during those that mostly are a question of right and wrong; while floods last.
P99_SECONDS = float(os.environ.get("HOSTQ_HOSTILE_P99_MS", "500")) / 1000
HEAVY_P99_SECONDS = 2
# Calls of a hundred that may fail during floods: of strangers, on a port that is for strangers. Of nodes, of the socket and of who has a
# key none.
HEAVY_FAILURES = {"enrollment": 0.05}
MEMORY_MIB, HEAVY_MEMORY_MIB, LEFT_MIB = 150, 400, 100
LINES_A_SECOND = 25
# In the audit: of a hundred sorts of refusals of strangers, one each; and what else happened.
ENTRIES_A_MINUTE = 150
ATTACK_SECONDS = 70
SETTLE_SECONDS = 30
FORK = multiprocessing.get_context("fork")


# The others: forty addresses, one after the other, so that each comes back after a second at the earliest, as a node would (who asks the
# enrollment port more often is refused). Not more: refusals of a hundred strangers are told apart in the audit, and the attack's are
# looked for there.
OTHERS, OTHERS_PAUSE = 40, 0.03


def probe(cluster, ports, first, pipe, stop):
    """Calls as others do, on these ports, the `first`th of them first, until told to stop: how long each took."""
    times, errors = [], []
    while not stop.is_set() or len(times) < 20:
        address = f"127.0.100.{(first + len(times) // len(ports)) % OTHERS + 1}"
        for one in ports:
            start, connected = time.monotonic(), 0
            try:
                connected = cluster.serves(one, address)
            except (RuntimeError, OSError, http2.Closed) as error:
                errors.append((one.name, str(error)))
            times.append((time.monotonic() - start, one.name, connected))
        time.sleep(OTHERS_PAUSE)
    pipe.send((times, errors))


def strike(one, cluster, port, pipe, address):
    """The attack, in a process of its own: what it holds ends with it."""
    manager.ATTACKER = address
    os.nice(5)  # an attacker has a machine of its own, and takes nothing from the manager's
    try:
        pipe.send(("ok", one.run(cluster, port) or ""))
    except attack.Broken as broken:
        pipe.send(("broken", str(broken)))
    except BaseException:  # pylint: disable=broad-except
        pipe.send(("broken", traceback.format_exc()))


class Child:
    def __init__(self, target, *arguments):
        self.here, there = FORK.Pipe()
        self.process = FORK.Process(target=target, args=(*arguments[:3], there, *arguments[3:]))
        self.process.start()
        there.close()

    def result(self, seconds):
        try:
            if self.here.poll(seconds):
                return self.here.recv()
        except EOFError:
            pass
        finally:
            self.process.join(0.5)
            if self.process.is_alive():
                self.process.kill()
                self.process.join()
            self.here.close()
        return ("broken", f"the attack did not end within {seconds} s")


class Prober(Child):
    first = 0  # which of the others is the next to call

    def __init__(self, cluster, ports):
        self.stop, self.ports = FORK.Event(), ports
        super().__init__(probe, cluster, ports, Prober.first, self.stop)

    def times(self):
        self.stop.set()
        out = self.result(60)
        if not isinstance(out[0], list):
            return [(60, "probe", 0)], [("probe", "no answer within 60 s")]
        Prober.first += len(out[0]) // len(self.ports)
        return out


def percentile(times, share):
    values = sorted(one[0] for one in times)
    return values[min(len(values) - 1, int(len(values) * share))]


class Round:
    """One attack on one port (or all that only wait, at once) with what is measured around it."""

    def __init__(self, cluster, runner, strikes):
        self.cluster, self.runner, self.strikes = cluster, runner, strikes
        self.problems = []

    def run(self):
        cluster = self.cluster
        if any(one.recorded for one, _ in self.strikes):
            time.sleep(1.1)  # what strangers cause is logged ten times a second, and the last round may have used it up
        offset, start, cpu = cluster.log_size(), time.monotonic(), cluster.cpu()
        before, head = cluster.descriptors(), cluster.audit_head()
        cluster.peak_reset()
        # The socket, and what is attacked.
        ports = [cluster.port("socket")]
        ports += {port.name: port for _, port in self.strikes if port.tls}.values()
        prober = Prober(cluster, ports)
        addresses = [self.runner.attacker() for _ in self.strikes]
        children = [Child(strike, one, cluster, port, address) for (one, port), address in zip(self.strikes, addresses)]
        results = [child.result(ATTACK_SECONDS) for child in children]
        took, cpu = time.monotonic() - start, cluster.cpu() - cpu
        times, errors = prober.times()
        heavy = any(one.heavy for one, _ in self.strikes)
        self.check_calls("during", times, errors, HEAVY_P99_SECONDS if heavy else P99_SECONDS, HEAVY_FAILURES if heavy else {})
        self.settle(before)
        self.check_calls("after", *Prober(cluster, ports).times(), P99_SECONDS, {})
        self.check_service()
        self.check_memory(heavy)
        log = cluster.log_since(offset)
        lines = log.count("\n")
        if lines > LINES_A_SECOND * took + 100:
            self.problems.append(f"{lines} lines in the log in {took:.0f} s")
        failed = f", {len(errors)} failed" if errors else ""
        measured = (f"p50 {percentile(times, .5) * 1000:.0f} ms, p99 {percentile(times, .99) * 1000:.0f} ms of {len(times)}{failed}, "
                    f"peak {cluster.peak():.0f} MiB, cpu {cpu:.1f} of {took:.1f} s, {lines} lines")
        for (one, port), address, (verdict, note) in zip(self.strikes, addresses, results):
            problems = list(self.problems)
            if verdict != "ok":
                problems.insert(0, note)
            if one.recorded and not re.search(one.recorded, log):
                problems.append(f"nothing in the log like {one.recorded}")
            problems += self.missing_in_audit(one, port, address, head)
            self.runner.report(f"{one.name} on {port.name}", problems, f"{note + '; ' if note and verdict == 'ok' else ''}{measured}")

    def missing_in_audit(self, one, port, address, head):
        """What the audit should say of the attack and does not."""
        patterns = one.audited.get(port.name) if isinstance(one.audited, dict) else one.audited
        if not patterns:
            return []
        wanted = [pattern.replace("ATTACKER", re.escape(address) + "$") for pattern in patterns.split(" & ")]
        until = time.monotonic() + 5
        while True:
            refusals = self.cluster.refusals(head)
            missing = [pattern for pattern in wanted if not any(re.search(pattern, line) for line in refusals)]
            if not missing or time.monotonic() > until:
                return [f"nothing in the audit like {pattern}: {sorted(set(refusals))[:5]}" for pattern in missing]
            time.sleep(0.1)

    def settle(self, before):
        """Everything that the attack had opened is gone some time after, and the memory that it took."""
        cluster, most = self.cluster, self.runner.memory + LEFT_MIB
        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until and (cluster.descriptors() > before + 5 or cluster.memory() > most):
            time.sleep(0.2)
        descriptors, memory = cluster.descriptors(), cluster.memory()
        if descriptors > before + 5:
            self.problems.append(f"{descriptors} descriptors are open, {before} were")
        if memory > most:
            self.problems.append(f"the manager keeps {memory:.0f} MiB, {self.runner.memory:.0f} at the start")

    def check_calls(self, when, times, errors, limit, failures):
        for name in sorted({name for name, _ in errors}):
            texts = [text for at, text in errors if at == name]
            calls = sum(1 for one in times if one[1] == name)
            if len(texts) > failures.get(name, 0) * calls:
                self.problems.append(f"{when} it {len(texts)} of {calls} calls of others on {name} failed: {texts[0]}")
        for name in sorted({one[1] for one in times}):
            on_port = [one for one in times if one[1] == name]
            worst, slow = percentile(on_port, 0.99), max(on_port)
            if worst > limit:
                self.problems.append(f"{when} it others waited on {name}: p99 {worst * 1000:.0f} ms of {len(on_port)} (the longest "
                                     f"{slow[0] * 1000:.0f} ms, of which {slow[2] * 1000:.0f} ms until it was connected)")

    def check_service(self):
        cluster = self.cluster
        if not cluster.alive():
            self.problems.append("a program has ended")
        out = cluster.hostq("node", "list")
        if out.returncode:
            self.problems.append(f"hostq node list: {out.stderr}")
        if cluster.sessions() != 1:
            self.problems.append("the agent has lost its session")

    def check_memory(self, heavy):
        limit = HEAVY_MEMORY_MIB if heavy else MEMORY_MIB
        peak = self.cluster.peak()
        if peak > self.runner.memory + limit:
            self.problems.append(f"the manager took {peak:.0f} MiB, {self.runner.memory:.0f} at the start")


class Runner:
    def __init__(self, cluster, verbose):
        self.cluster, self.verbose = cluster, verbose
        self.passed = self.failed = 0
        self.memory = cluster.memory()
        self.descriptors = cluster.descriptors()
        self.attackers = 0
        self.start = time.monotonic()

    def report(self, name, problems, measured):
        if problems:
            self.failed += 1
            print(f"FAIL {name}: {'; '.join(problems)}\n     ({measured})", flush=True)
        else:
            self.passed += 1
            print(f"ok   {name}" + (f" ({measured})" if self.verbose else ""), flush=True)

    def attacker(self):
        """The address of the next attack: what it did is not counted against another."""
        self.attackers += 1
        return f"127.7.{self.attackers // 250}.{self.attackers % 250 + 1}"

    def run(self, chosen):
        ports = self.cluster.ports()
        together = []
        # Those that the audit has to name first: a crowd of strangers uses up what of them is told apart in a minute.
        for one in sorted(attack.ALL, key=lambda one: one.audited is None):
            for port in ports:
                if port.name not in one.ports or not re.search(chosen, f"{one.name} on {port.name}"):
                    continue
                if one.together:
                    together.append((one, port))
                else:
                    Round(self.cluster, self, [(one, port)]).run()
        if together:
            Round(self.cluster, self, together).run()
        self.end()

    def end(self):
        """After all of them: what was taken has been given back, and both programs end as they should."""
        problems = []
        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until and (self.cluster.descriptors() > self.descriptors + 5 or
                                            self.cluster.memory() > self.memory + LEFT_MIB):
            time.sleep(0.2)
        memory, descriptors = self.cluster.memory(), self.cluster.descriptors()
        if memory > self.memory + LEFT_MIB:
            problems.append(f"the manager has {memory:.0f} MiB, {self.memory:.0f} at the start")
        if descriptors > self.descriptors + 5:
            problems.append(f"{descriptors} descriptors, {self.descriptors} at the start")
        entries = len(self.cluster.audit(0))
        if entries > ENTRIES_A_MINUTE * (1 + (time.monotonic() - self.start) / 60):
            problems.append(f"{entries} entries in the audit")
        verified = self.cluster.hostq("audit", "verify")
        if verified.returncode:
            problems.append(f"the audit is broken: {verified.stdout}{verified.stderr}")
        for name in list(self.cluster.programs):
            code = self.cluster.stop_program(name)
            if code != 0:
                problems.append(f"{name} ended with {code}")
        self.report("what is left", problems, f"{memory:.0f} MiB ({self.memory:.0f} at the start), {descriptors} descriptors, "
                    f"{entries} entries in the audit")


def main():
    parser = argparse.ArgumentParser(prog="tests/hostile/run.sh", description="Attacks on a running manager.")
    parser.add_argument("--list", action="store_true", help="print what each attack does, and end")
    parser.add_argument("--verbose", action="store_true", help="print what was measured also of those that passed")
    parser.add_argument("attacks", nargs="?", default="", metavar="PATTERN",
                        help="a regular expression: of \"ATTACK on PORT\", only those that match")
    arguments = parser.parse_args()
    if arguments.list:
        for one in attack.ALL:
            print(f"{one.name} ({', '.join(one.ports)})\n    {one.about}")
        return 0
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    cluster = manager.Cluster()
    try:
        # What else this machine does (compile, say) is no part of the attacks.
        if os.geteuid() == 0:
            os.nice(-10)
        # As systemd starts services: 1024, of which a program may raise itself to the hard limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limit))
        cluster.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        for port in cluster.ports():
            cluster.serves(port)
        runner = Runner(cluster, arguments.verbose)
        runner.run(arguments.attacks)
        print(f"{runner.passed} passed, {runner.failed} failed")
        return 0 if runner.failed == 0 and runner.passed else 1
    except (RuntimeError, OSError, http2.Closed) as error:
        print(f"run.sh: {error}")
        print("0 passed, 1 failed")
        return 1
    finally:
        cluster.remove()


if __name__ == "__main__":
    sys.exit(main())
