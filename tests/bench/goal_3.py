"""3: one command to 200 nodes is 200 tasks: tasks a second."""

from cluster import Cluster
from measure import Verdict, rounds, table, write
from goal_1 import KEYS


def measure(quick):
    count, seconds = (2, 3) if quick else (5, 8)
    with Cluster(200) as cluster:
        results = rounds(count, {
            "hostq": lambda: cluster.load("--clients", 4, "--window", 2, "--fan-out", "--max-unfinished", 4000, seconds=seconds)})
    write(3, results)
    print(table(results, KEYS))
    return Verdict(3, "fan-out to 200 nodes", [one["tasks_per_second"] for one in results["hostq"]], 20000, 40000, unit=" /s")
