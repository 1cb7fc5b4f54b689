"""1: the whole life of a task, 64 submitters with one call at a time, 64 agents, against PostgreSQL SKIP LOCKED."""

from cluster import Cluster
from measure import Verdict, ratios, rounds, table, write
from peers import Beanstalkd, Postgres, Rabbit, Redis

KEYS = [("tasks/s", "tasks_per_second", "%.0f"), ("call p50 ms", "call_p50_ms", "%.2f"), ("start p50 ms", "start_p50_ms", "%.2f"),
        ("anchor/s", "anchor_per_second", "%.0f")]


def measure(quick):
    count, seconds = (2, 3) if quick else (5, 8)
    with Cluster(64) as cluster, Postgres() as postgres, Rabbit() as rabbit, Redis() as redis:
        contenders = {
            "hostq": lambda: cluster.load("--clients", 64, "--window", 1, seconds=seconds),
            "PostgreSQL": lambda: postgres.load("--max-unfinished", 200, seconds=seconds),
            "RabbitMQ quorum": lambda: rabbit.load("--max-unfinished", 200, peer="rabbitmq-quorum", seconds=seconds),
            "Redis": lambda: redis.load("--max-unfinished", 200, seconds=seconds),
        }
        if not quick:
            contenders["RabbitMQ classic"] = lambda: rabbit.load("--max-unfinished", 200, peer="rabbitmq-classic", seconds=seconds)
            contenders["beanstalkd"] = lambda: in_beanstalkd(seconds)
        results = rounds(count, contenders)
    write(1, results)
    print(table(results, KEYS))
    print(f"against RabbitMQ quorum: {Verdict(1, '', ratios(results, 'hostq', 'RabbitMQ quorum'), 1, 1).value:.2f} x")
    return Verdict(1, "whole life, 64 x 1 call, against PostgreSQL", ratios(results, "hostq", "PostgreSQL"), 3, 6)


def in_beanstalkd(seconds):
    with Beanstalkd() as peer:
        return peer.load("--max-unfinished", 200, seconds=seconds)
