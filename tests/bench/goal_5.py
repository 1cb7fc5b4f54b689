"""5: agents that wait: memory and processor of the manager for each, and how soon they are back after a restart."""

from cluster import Cluster, load
from measure import Verdict, median, table, write

KEYS = [("KiB an agent", "kib_per_agent", "%.1f"), ("cores", "manager_cores", "%.4f"), ("connected s", "connect_seconds", "%.1f"),
        ("bare s", "bare_seconds", "%.1f")]


def measure(quick):
    nodes, count = (500, 1) if quick else (5000, 3)
    results = []
    for _ in range(count):
        with Cluster(nodes) as cluster:
            bare = load("bare-connections", "--directory", cluster.dir, "--nodes", nodes)
            cluster.stop()
            cluster.start()  # without the memory that adding nodes took
            result = cluster.idle(seconds=4 if quick else 20)
            result["bare_seconds"] = bare["seconds"]
            results.append(result)
    write(5, {"nodes": nodes, "hostq": results})
    print(table({f"hostq, {nodes} agents": results}, KEYS))
    cores = median([one["manager_cores"] for one in results]) * 10_000 / nodes
    back = median([one["connect_seconds"] / one["bare_seconds"] for one in results])
    print(f"10,000 agents would take {100 * cores:.1f} % of a core (must 2); connecting took {back:.2f} times as long as bare "
          "connections (must 1.3)")
    return Verdict(5, "memory of an agent that waits", [one["kib_per_agent"] for one in results], 132, 100, at_least=False, unit=" KiB")
