"""See run.sh."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/tests/hostile")
from manager import BIN, Cluster, eventually, free_port  # noqa: E402

MONITORING = f"{ROOT}/deploy/monitoring"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
NAME = re.compile(r"\b(?:hostq|process)_[a-z_]+[a-z]\b")
passed = failed = 0


def check(what, good, more=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'  ok  ' if good else '  FAIL'} {what}{'' if good or not more else ': ' + str(more)[:3000]}", flush=True)
    return good


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(*words, cwd=None):
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


class Monitored(Cluster):
    """A manager with a node whose executor is real too: in this namespace it may do as it likes."""

    def start(self):
        self.start_manager()
        self.join("web1", "127.0.0.11")
        config = f"{self.dir}/web1/agent.toml"
        self.start_program("executor", [f"{BIN}/hostq-executor", "run", "--config", config])
        self.start_program("agent", [f"{BIN}/hostq-agent", "run", "--config", config])
        self.key = self.new_key("prometheus", "--rate", "100/s")

    def request(self, path, key=None, body=None, headers=()):
        """Status, headers and text."""
        context = ssl.create_default_context(cafile=f"{self.dir}/state/ca/trusted.pem")
        context.check_hostname = False
        request = urllib.request.Request(f"https://127.0.0.1:{self.https}{path}", headers=dict(headers))
        if key:
            request.add_header("authorization", f"Bearer {key}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def page(self):
        return self.request("/metrics", self.key)[2]


def families(page):
    """Of a page in the text format: type and label names by family."""
    found = {name: [kind, set()] for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M)}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", page, re.M):
        family = name if name in found else re.sub(r"_(bucket|sum|count)$", "", name)
        found[family][1].add(",".join(label for label in re.findall(r"([a-z]+)=\"", labels) if label != "le"))
    return found


def documented():
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| ([^|]*) \|",
                      read(f"{ROOT}/docs/reference/metrics.md"), re.M)
    return {name: (kind, ",".join(re.findall("`([a-z]+)`", labels))) for name, kind, labels in rows}


def named_in(text):
    """Metrics that an expression names."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) if not name.startswith("process") else name
            for name in NAME.findall(text)}


# --- 1: the files ---

# Of the manager, and of nodes.
RULES_TESTS = ("rules_test.yaml", "rules_nodes_test.yaml")


def check_files(directory):
    for name in ("prometheus.yaml", "alerts.yaml"):
        shutil.copy(f"{MONITORING}/{name}", directory)
    os.rename(f"{directory}/alerts.yaml", f"{directory}/hostq-alerts.yaml")
    for name in ("hostq.key", "hostq-ca.pem"):
        with open(f"{directory}/{name}", "w", encoding="utf-8"):
            pass
    for what, words, cwd in (
            ("promtool: the configuration", ("check", "config", "prometheus.yaml"), directory),
            ("promtool: the rules", ("check", "rules", f"{MONITORING}/alerts.yaml"), None),
            ("promtool: every alert when it should, and no other",
             ("test", "rules", *RULES_TESTS), f"{ROOT}/tests/monitoring")):
        out = run("promtool", *words, cwd=cwd)
        check(what, out.returncode == 0, out.stdout + out.stderr)
    rules = read(f"{MONITORING}/alerts.yaml")
    tests = "".join(read(f"{ROOT}/tests/monitoring/{name}") for name in RULES_TESTS)
    for alert in re.findall(r"alert: (\w+)", rules):
        check(f"{alert} has a case in which it fires", f'alertname="{alert}"' in tests)
    for runbook in sorted(set(re.findall(r"runbook: (\S+)#([a-z_-]+)$", rules, re.M))):
        headings = {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
                    for heading in re.findall(r"^#+ (.*)$", read(f"{ROOT}/{runbook[0]}"), re.M)}
        check(f"{runbook[0]}#{runbook[1]} is there", runbook[1] in headings)


# --- 2: the page ---

def check_access(cluster):
    status, headers, text = cluster.request("/metrics")
    check("without a key: 401", status == 401 and "UNAUTHENTICATED" in text, (status, text))
    status, headers, text = cluster.request("/metrics", cluster.key[:-1] + "a")
    check("with a wrong key: 401", status == 401 and "hostq_tasks" not in text, (status, text))
    out = cluster.hostq("key", "create", "narrow", "--scope", "read:bind_address")
    narrow = re.search(r"hostq_[a-z2-7]{10}_[a-z2-7]{47}", out.stdout)[0]
    status, headers, text = cluster.request("/metrics", narrow)
    check("with a key that may read a part: 403", status == 403 and "OUT_OF_SCOPE" in text, (status, text))
    status, headers, text = cluster.request("/metrics", cluster.key)
    check("with a key that may read everything: the page", status == 200 and
          headers["content-type"].startswith("text/plain; version=0.0.4"), (status, headers, text[:300]))
    out = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    check("promtool has nothing to say of the page", out.returncode == 0, out.stdout + out.stderr)


def check_page(cluster):
    eventually(30, lambda: "hostq_agent_attempts_total{" in cluster.page(), "no agent's numbers")
    cluster.page()  # so that /metrics itself has been counted
    shown, listed = families(cluster.page()), documented()
    check("every metric of the page is in the reference", not set(shown) - set(listed), set(shown) - set(listed))
    check("every metric of the reference is on the page", not set(listed) - set(shown), set(listed) - set(shown))
    wrong = [(name, kind, labels, listed.get(name)) for name, (kind, labels) in shown.items()
             if name in listed and (kind != listed[name][0] or labels - {listed[name][1]})]
    check("with the same types and labels", not wrong, wrong)
    for name in ("alerts.yaml", "grafana.json"):
        missing = named_in(read(f"{MONITORING}/{name}")) - set(shown) - {"hostq_tasks_stuck|hostq_node_findings"}
        check(f"every metric that {name} names is on the page", not missing, missing)
    page = cluster.page()
    for what, pattern in (
            ("the node is connected", r'^hostq_node_connected\{node="web1"\} 1$'),
            ("its executor too", r'^hostq_agent_executor_connected\{node="web1"\} 1$'),
            ("its version", r'^hostq_agent_info\{node="web1",version="\d+\.\d+\.\d+"\} 1$'),
            ("its journal's commits", r'^hostq_agent_journal_commit_seconds_count\{node="web1"\} [1-9]'),
            ("steps by kind", r'^hostq_agent_steps_total\{node="web1",kind="preflight"\} [1-9]'),
            ("sessions", r"^hostq_sessions 1$"),
            ("transactions", r"^hostq_commit_seconds_count [1-9]"),
            ("calls by method and code", r'^hostq_api_calls_total\{method="hostq.v1.KeyService.CreateKey",code="OK"\} [1-9]'),
            ("requests by route and status", r'^hostq_http_requests_total\{route="/metrics",code="401"\} 2$'),
            ("open streams", r'^hostq_api_streams\{method="hostq.agent.v1.SessionService.Connect"\} 1$'),
            ("schedule to accept", r"^hostq_schedule_to_accept_seconds_count [1-9]"),
            ("certificates", r'^hostq_certificate_expire_timestamp_seconds\{certificate="server"\} '),
            ("audit", r"^hostq_audit_entries_total [1-9]"),
            ("memory", r"^process_resident_memory_bytes [1-9]")):
        check(f"the page has {what}", re.search(pattern, page, re.M), pattern)
    begin = time.monotonic()
    for _ in range(20):
        cluster.page()
    took = (time.monotonic() - begin) / 20
    check(f"a page takes {took * 1000:.1f} ms", took < 1)


# --- 3: a real Prometheus ---

class Prometheus:
    def __init__(self, cluster):
        self.port = free_port()
        directory = f"{cluster.dir}/prometheus"
        os.makedirs(directory)
        config = read(f"{MONITORING}/prometheus.yaml")
        for old, new in (("192.0.2.10:7446", f"127.0.0.1:{cluster.https}"), ("scrape_interval: 15s", "scrape_interval: 1s"),
                         ("evaluation_interval: 15s", "evaluation_interval: 1s"), ("scrape_timeout: 10s", "scrape_timeout: 1s")):
            assert old in config, old
            config = config.replace(old, new)
        files = {"prometheus.yaml": config.replace("scrape_timeout: 1s", "scrape_timeout: 900ms"),
                 "hostq.key": cluster.key, "hostq-ca.pem": read(f"{cluster.dir}/state/ca/trusted.pem"),
                 "hostq-alerts.yaml": read(f"{MONITORING}/alerts.yaml").replace("interval: 30s", "interval: 1s")}
        for name, text in files.items():
            with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        cluster.start_program("prometheus", [
            "prometheus", f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{self.port}"])

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def query(self, expression):
        data = self.get("query", query=expression)
        return data["result"] if data else []


def check_prometheus(cluster):
    prometheus = Prometheus(cluster)
    eventually(60, lambda: [s for s in prometheus.query('up{job="hostq"}') if s["value"][1] == "1"],
               "Prometheus does not get the page: " + str(prometheus.get("targets")))
    check("Prometheus reads the manager with its key, over TLS", True)
    # Until each rule has been evaluated.
    rules = []

    def evaluated():
        groups = (prometheus.get("rules") or {"groups": []})["groups"]
        rules[:] = [rule for group in groups for rule in group["rules"]]
        return rules and all(rule["health"] != "unknown" for rule in rules)

    eventually(60, evaluated, "rules are not evaluated")
    bad = [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"]
    check(f"all {len(rules)} rules are evaluated without an error", not bad and len(rules) > 10, bad)
    rate = "sum by (code) (increase(hostq_http_requests_total{route=\"/metrics\"}[1m]))"
    eventually(60, lambda: prometheus.query(rate), "no rate of requests")
    cluster.stop_program("agent")
    eventually(90, lambda: prometheus.query('ALERTS{alertname="HostqNodeOffline",node="web1"}'),
               "no alert for a node that is away")
    others = {s["metric"]["alertname"] for s in prometheus.query('ALERTS{node="web1"}')}
    check("a node goes away: one alert, with its name", others == {"HostqNodeOffline"}, others)
    stuck = [s["metric"] for s in prometheus.query('ALERTS{alertname="HostqStuck",reason="NODE_OFFLINE"}')]
    check("and none for what waits for it", not stuck, stuck)
    cluster.start_program("agent", [f"{BIN}/hostq-agent", "run", "--config", f"{cluster.dir}/web1/agent.toml"])
    eventually(60, lambda: not prometheus.query('ALERTS{alertname="HostqNodeOffline"}'), "the alert stays")
    check("it is back: the alert is gone", True)
    cluster.stop_program("prometheus")


# --- 4: one command through the logs ---

def lines_of(cluster, program, *wanted):
    return [line for line in read(f"{cluster.dir}/{program}.log").splitlines()
            if all(re.search(pattern, line) for pattern in wanted)]


def field(line, name):
    found = re.search(rf" {name}=(\S+)", line)
    return found[1] if found else None


def submit(cluster, key, address, headers):
    status, _, text = cluster.request("/v1/commands", key, {"spec": {"bindAddress": {"address": address}},
                                                           "nodes": ["web1"]}, headers)
    if status not in (200, 201):
        raise RuntimeError(f"submit: {status} {text}")
    return json.loads(text)["command"]["id"]


def check_trace(cluster):
    out = cluster.hostq("key", "create", "submitter", "--scope", "read", "--scope", "submit", "--scope", "operate")
    key = re.search(r"hostq_[a-z2-7]{10}_[a-z2-7]{47}", out.stdout)[0]
    command = submit(cluster, key, "203.0.113.10", {"traceparent": f"00-{TRACE}-{PARENT}-01",
                                                    "hostq-request-id": "call-4711"})
    eventually(30, lambda: lines_of(cluster, "manager", "command finished", command),
               f"{command} does not finish")
    check("the command's span is within the caller's", all(
        field(line, "trace_id") == TRACE and field(line, "parent_id") == PARENT
        for line in lines_of(cluster, "manager", "command finished", command)))
    span = field(lines_of(cluster, "manager", "command finished", command)[0], "span_id")
    submitted = lines_of(cluster, "manager", "command submitted", f"command={command}")
    check("manager: the call's id, the command and the trace in one line",
          len(submitted) == 1 and field(submitted[0], "request_id") == "call-4711" and
          field(submitted[0], "trace_id") == TRACE, submitted)
    eventually(10, lambda: lines_of(cluster, "agent", "task ended", f"task={command}/web1"), "agent's line")
    attempts = lines_of(cluster, "agent", "task ended", f"task={command}/web1")
    check("agent: the attempt's span is within the command's", attempts and
          field(attempts[0], "trace_id") == TRACE and field(attempts[0], "parent_id") == span, attempts)
    steps = lines_of(cluster, "executor", "step ended", f"trace_id={TRACE}")
    check("executor: each step's span is within the attempt's", steps and attempts and all(
        field(line, "parent_id") == field(attempts[0], "span_id") and field(line, "task") == f"{command}/web1"
        for line in steps), steps)
    for program in ("manager", "agent", "executor"):
        check(f"the trace id leads to lines of the {program}", lines_of(cluster, program, f"trace_id={TRACE}"))
    spans = [field(line, "span_id") for program in ("manager", "agent", "executor")
             for line in lines_of(cluster, program, f"trace_id={TRACE}", "span_id=")]
    check(f"the trace has {len(spans)} spans, each once", len(set(spans)) == len(spans) >= 3, spans)
    events = cluster.request("/v1/events?noFollow=true&commandId=" + command, key)[2]
    check("its events have it", f"00-{TRACE}-{PARENT}-01" in events, events[:500])
    other = submit(cluster, key, "203.0.113.11", {"traceparent": "00-not-a-trace-01"})
    eventually(30, lambda: lines_of(cluster, "manager", "command finished", other), f"{other} does not finish")
    own = lines_of(cluster, "manager", "command finished", other)[0]
    check("a malformed traceparent is ignored: a trace of its own",
          re.fullmatch("[0-9a-f]{32}", field(own, "trace_id") or "") and field(own, "trace_id") != TRACE and
          field(own, "parent_id") is None, own)


def main():
    cluster = Monitored()
    try:
        os.makedirs(f"{cluster.dir}/files")
        check_files(f"{cluster.dir}/files")
        cluster.start()
        check_access(cluster)
        check_page(cluster)
        check_trace(cluster)
        check_prometheus(cluster)
    except Exception as error:  # pylint: disable=broad-except
        check("the run", False, repr(error))
        if os.environ.get("HOSTQ_KEEP"):
            raise
    finally:
        cluster.remove()
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


sys.exit(main())
