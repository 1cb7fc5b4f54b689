"""4: a hundred commands a second: how soon a step starts, against the disk and the network; syncs a command."""

import os
import re
import subprocess

from cluster import DATA, Cluster, load
from measure import Verdict, anchor, rounds, table, write

KEYS = [("start p50 ms", "start_p50_ms", "%.2f"), ("start p99 ms", "start_p99_ms", "%.2f"), ("call p50 ms", "call_p50_ms", "%.2f"),
        ("disk + network ms", "floor_ms", "%.2f"), ("times that", "ratio", "%.2f")]


def syncs(cluster, *argv, seconds):
    """Of the manager, for each task: by strace, which slows it down."""
    log = os.path.join(DATA, "strace")
    with subprocess.Popen(["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", log, "-p", str(cluster.process.pid)],
                          stderr=subprocess.DEVNULL) as tracer:
        result = cluster.load(*argv, seconds=seconds, warm_up=0)
        tracer.terminate()
    calls = sum(int(found[1]) for found in re.finditer(r"^ *\S+ +\S+ +\S+ +(\d+) .*f(?:data)?sync$", open(log, encoding="utf-8").read(), re.M))
    return calls / (result["tasks_per_second"] * seconds)


def measure(quick):
    count, seconds = (2, 4) if quick else (5, 10)
    with Cluster(64) as cluster:
        def latency():
            trip = load("round-trips", "--directory", cluster.dir, "--seconds", seconds / 2)
            disk = anchor(1)
            result = cluster.load("--clients", 16, "--rate", 100, seconds=seconds)
            result["floor_ms"] = disk["p50_ms"] + trip["p50_ms"]
            result["ratio"] = result["start_p50_ms"] / result["floor_ms"]
            return result

        results = rounds(count, {"hostq": latency})
        slow = syncs(cluster, "--clients", 16, "--rate", 100, seconds=3)
        fast = syncs(cluster, "--clients", 64, "--batch", 16, "--max-unfinished", 2000, seconds=3)
    results["syncs"] = {"at 100 commands a second": slow, "at saturation": fast}
    write(4, results)
    print(table({"hostq": results["hostq"]}, KEYS))
    print(f"syncs a command: {slow:.2f} at 100 a second (must 2), {fast:.3f} at saturation (must 0.05)")
    return Verdict(4, "start of a step, times disk and network", [one["ratio"] for one in results["hostq"]], 1.5, 1.1, at_least=False)
