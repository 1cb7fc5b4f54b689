"""2: the same, 64 submitters with 16 calls under way each, against Redis with single and with pipelined XADD."""

from cluster import Cluster
from measure import Verdict, median, ratios, rounds, table, write
from goal_1 import KEYS
from peers import Redis


def measure(quick):
    count, seconds = (2, 3) if quick else (5, 8)
    with Cluster(64) as cluster, Redis() as redis:
        results = rounds(count, {
            "hostq": lambda: cluster.load("--clients", 64, "--batch", 16, "--max-unfinished", 2000, seconds=seconds),
            "Redis, single": lambda: redis.load("--consumers", 8, "--batch", 50, "--max-unfinished", 2000, seconds=seconds),
            "Redis, pipelined": lambda: redis.load("--consumers", 8, "--batch", 50, "--submitted", 16, "--max-unfinished", 2000,
                                                   seconds=seconds),
        })
    write(2, results)
    print(table(results, KEYS))
    pipelined = median(ratios(results, "hostq", "Redis, pipelined"))
    print(f"against pipelined Redis: {pipelined:.2f} x (must 0.5, goal 1.0)")
    # Both count: the worse of the two decides, in terms of its must.
    worse = [min(a, 2 * b) for a, b in zip(ratios(results, "hostq", "Redis, single"), ratios(results, "hostq", "Redis, pipelined"))]
    return Verdict(2, "16 under way each, against Redis (and twice pipelined)", worse, 1, 1.5)
