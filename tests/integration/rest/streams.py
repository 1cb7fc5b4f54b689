"""GET /v1/events: order, resuming, many clients, and how a stream ends."""

import os
import time

import contract
from client import Client, eventually, manager


def happen(cluster, note):
    """One change that makes events."""
    cluster.hostq("node", "pause", "web2", "--note", note)
    cluster.hostq("node", "resume", "web2")


def check_all(cluster):
    """Everything that happened comes once, in order, as the API has it; noFollow ends it well."""
    stream = Client(cluster, cluster.key).events("?noFollow=true")
    assert stream.response.getheader("content-type") == "text/event-stream"
    first = stream.next()
    assert first.id == "0" and first.type is None
    last = 0
    while event := stream.next():
        assert int(event.id) > last and event.data["sequence"] == event.id and event.data["type"] == event.type
        contract.must_fit(event.data, {"$ref": "#/components/schemas/Event"})
        last = int(event.id)
    assert last > 0


def check_resume(cluster):
    """A stream that was cut goes on behind the last event, whatever it was opened with; also if none had come."""
    client = Client(cluster, cluster.key)
    stream = client.events("?fromNow=true")
    start = stream.next()
    assert start.type is None and int(start.id) > 0
    stream.close()
    happen(cluster, "resume-1")
    stream = client.events("?fromNow=true", {"last-event-id": start.id})
    stream.next()
    paused = stream.next()
    assert paused.type == "NODE_PAUSED" and int(paused.id) > int(start.id), paused
    stream.close()
    happen(cluster, "resume-2")
    stream = client.events(f"?sinceSequence={start.id}", {"last-event-id": paused.id})
    assert stream.next().id == paused.id
    assert [stream.next().type for _ in range(3)] == ["NODE_RESUMED", "NODE_PAUSED", "NODE_RESUMED"]
    stream.close()


def check_filters(cluster):
    """Only what was asked for comes."""
    stream = Client(cluster, cluster.key).events("?node=web1&noFollow=true")
    stream.next()
    while event := stream.next():
        assert event.data["node"] == "web1", event


def check_revoked(cluster):
    """The stream of a key that is revoked says why and ends, within two seconds, though nothing happens."""
    client = Client(cluster, cluster.new_key("gone"))
    stream = client.events("?fromNow=true")
    stream.next()
    start = time.monotonic()
    cluster.hostq("key", "revoke", "gone")
    end = stream.next()
    assert end.type == "problem" and end.data["reason"] == "KEY_REVOKED", end
    contract.must_fit(end.data, {"$ref": "#/components/schemas/Problem"})
    assert stream.next() is None and time.monotonic() - start < 10
    assert client.get("/v1/nodes").reason == "KEY_REVOKED"


def check_silence(cluster):
    """While nothing happens a comment comes within 15 seconds."""
    stream = Client(cluster, cluster.key).events("?node=none&fromNow=true")
    stream.next()
    line = stream.response.readline()
    assert line.startswith(b":"), line
    stream.close()


def threads(cluster):
    return len(os.listdir(f"/proc/{cluster.pid}/task"))


def check_thousand(cluster):
    """A thousand clients that wait for events cost no threads; each gets the next one; when they go, so does all they held."""
    key = cluster.new_key("crowd", "--rate", "2000/s")
    before, memory, descriptors = threads(cluster), cluster.memory(), cluster.descriptors()
    streams = []
    for index in range(1000):
        client = Client(cluster, key, source=f"127.9.0.{index // 100 + 1}")
        stream = client.events("?fromNow=true&node=web2", timeout=60)
        stream.next()
        streams.append(stream)
        if index % 100 == 99:
            time.sleep(0.5)
    assert threads(cluster) <= before + 8, f"{threads(cluster)} threads, {before} before"
    held = cluster.memory() - memory
    assert held < 250, f"{held:.0f} MiB"
    happen(cluster, "crowd")
    for stream in streams:
        assert stream.next().type == "NODE_PAUSED"
    for stream in streams:
        stream.close()
    eventually(60, lambda: cluster.descriptors() <= descriptors + 10, "connections stay open after their clients have gone")
    assert Client(cluster, cluster.key).get("/v1/nodes").status == 200


def check_slow_reader(cluster):
    """Who reads nothing is cut off, and others get their events meanwhile."""
    key = cluster.new_key("sleepy")
    sleepers = []
    for _ in range(5):
        stream = Client(cluster, key).events("", timeout=120)
        stream.sock.setsockopt(1, 8, 4096)
        sleepers.append(stream)
    quick = Client(cluster, cluster.key).events("?fromNow=true")
    quick.next()
    for index in range(20):
        happen(cluster, "x" * 200)
        assert quick.next().type == "NODE_PAUSED", index
        assert quick.next().type == "NODE_RESUMED", index
    for stream in [*sleepers, quick]:
        stream.close()


def check_stop(cluster):
    """When the manager stops, streams say so and end; clients come again and miss nothing."""
    client = Client(cluster, cluster.key)
    stream = client.events("?fromNow=true")
    start = stream.next()
    begin = time.monotonic()
    code = cluster.stop_program("manager")
    took = time.monotonic() - begin
    assert code == 0 and took < 9, f"exit {code} after {took:.1f} s"
    end = stream.next()
    assert end is None or end.data["reason"] == "SHUTTING_DOWN", end
    cluster.start_program("manager", [f"{manager.BIN}/hostq-manager", "run", "--config", cluster.config])
    eventually(20, lambda: cluster.hostq("node", "list").returncode == 0, "the manager does not start again")
    happen(cluster, "after")
    stream = client.events("", {"last-event-id": start.id})
    stream.next()
    kinds = [stream.next().type for _ in range(2)]
    while kinds[-2:] != ["NODE_PAUSED", "NODE_RESUMED"]:
        kinds.append(stream.next().type)
    stream.close()

