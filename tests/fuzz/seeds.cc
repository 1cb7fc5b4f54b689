// hostq_fuzz_seeds FOLDER: writes FOLDER/TARGET/NAME, where the fuzzers begin: what real messages,
// files and values look like. Made and not kept, because most of them are binary.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/runner/convert.h"
#include "common/crypto/key.h"
#include "google/protobuf/text_format.h"
#include "hostq/agent/v1/executor.pb.h"
#include "hostq/agent/v1/session.pb.h"
#include "hostq/agent/v1/work.pb.h"
#include "hostq/v1/command.pb.h"
#include "manager/access/api_key.h"
#include "manager/access/join_token.h"
#include "manager/api/page_token.h"
#include "records.h"

namespace hostq::fuzz {
namespace {

namespace fs = std::filesystem;

std::string folder;

void Write(const std::string& target, const std::string& bytes) {
  const fs::path path = fs::path(folder) / target;
  fs::create_directories(path);
  const auto number = std::distance(fs::directory_iterator(path), fs::directory_iterator());
  std::ofstream(path / absl::StrCat("seed", number), std::ios::binary) << bytes;
}

template <typename Message>
std::string Bytes(const std::string& text) {
  Message message;
  HOSTQ_CHECK(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message.SerializeAsString();
}

std::string Chunk(const std::string& bytes) {
  const char length[] = {static_cast<char>(bytes.size() & 0xff),
                         static_cast<char>(bytes.size() >> 8 & 0xff)};
  return std::string(length, 2) + bytes;
}

std::string Record(Act act, int number, const std::string& bytes = "") {
  return std::string{static_cast<char>(act), static_cast<char>(number)} + Chunk(bytes);
}

std::string FromAgent(const std::string& text, Act act = Act::kMessageOfLease, int number = 0) {
  return Record(act, number, Bytes<agent::v1::AgentMessage>(text));
}

// A session's life, its ways to end, and what comes again after it.
void AgentMessages() {
  const std::string kinds = R"(kinds: "bind_address" kinds: "preflight" credits: 8)";
  const std::string hello = FromAgent(absl::StrCat(
      "hello { protocol_version: 1 agent_version: \"1.0\" clock { seconds: 1800000000 } ", kinds,
      " }"));
  const std::string has = FromAgent(absl::StrCat("hello { protocol_version: 1 ", kinds,
                                                 " max_epoch: 99 in_flight { started: true } }"));
  const std::string kept =
      FromAgent(absl::StrCat("hello { protocol_version: 1 ", kinds, " outbox {} }"));
  const std::string accepted = FromAgent("accepted {}"), progress = FromAgent(R"(
      progress { step: "address" step_count: 2 wedged: true evidence { key: "pid" value: "4" } })");
  const std::string checks = R"(steps { name: "kernel" changed: true duration_us: 7 }
      steps { name: "clock" reason: CLOCK_SKEW warning: true message: "late" })";
  const std::string done = FromAgent(absl::StrCat("result { ", checks, " }"));
  const std::string failed = FromAgent(R"(result { reason: QUOTA_SET_NOT_PERMITTED message: "no"
      steps { name: "quota" reason: QUOTA_SET_NOT_PERMITTED evidence { key: "a" value: "b" } }
      start_time { seconds: 1800000000 } finish_time { seconds: 1800000001 } })");
  const std::string refused = FromAgent(R"(refused { reason: BUFFER_FULL message: "full" })");
  const std::string beat = FromAgent("heartbeat { clock { seconds: 1800000009 } outbox: 1 }");
  const std::string drift = FromAgent(R"(drift { open_count: 1 repairs: true
      open { resource_key: "share/home" reason: SHARE_NOT_MOUNTED message: "x" age { seconds: 3 } }
      repaired { resource_key: "address/203.0.113.10" reason: ADDRESS_MISSING message: "y" } })");
  const std::string later = Record(Act::kTime, 15), gone = Record(Act::kDisconnect, 0);
  const std::string restart = Record(Act::kRestart, 0);
  Write("agent_message", hello + accepted + progress + done + done + beat);
  Write("agent_message", hello + drift + beat + drift + gone + hello + drift);
  Write("agent_message", hello + accepted + gone + has + progress + failed + later + done);
  Write("agent_message", hello + restart + kept + done + refused + later + done);
  Write("agent_message", hello + accepted + gone + hello + gone + hello + gone + hello);
  // Each was a bug: half a character at the end of a name that is cut; epochs that no manager
  // gives.
  Write("agent_message", FromAgent(absl::StrCat("hello { protocol_version: 1 agent_version: \"",
                                                std::string(63, 'a'), "\\303\\251\" }")));
  for (const char* epoch : {"18446744073709551615", "9223372036854775807"}) {
    Write("agent_message", FromAgent(absl::StrCat("hello { protocol_version: 1 ", kinds,
                                                  " max_epoch: ", epoch, " }")) +
                               done + hello + done);
  }
  for (int number = 0; number < 4; ++number) {
    Write("agent_message",
          hello + accepted + failed + Record(Act::kOther, number) + later + hello + done);
  }
}

void ManagerMessages() {
  const auto message = [](const std::string& text) {
    return Record(Act::kMessage, 0, Bytes<agent::v1::ManagerMessage>(text));
  };
  const std::string share = R"(share { name: "home" server: "10.0.0.1" export_path: "/chroot/home"
      mount_point: "/home" nfs_version: "4.2" })";
  const std::string account = absl::StrCat(R"(account { domain: "example.com" user: "exampleco"
      uid: 20000 gid: 20000 home: "/home/exampleco" shell: "/bin/bash" addresses: "203.0.113.10"
      quota_bytes: 1048576 generation: 1 )",
                                           share, " }");
  const std::string welcome = message(
      "welcome { cluster: \"c\" term: 1 heartbeat_interval {"
      " seconds: 5 } forget { task_id: \"t0\" attempt: 1 epoch: 9 } }");
  const std::string done = Record(
      Act::kOther, 2, Bytes<agent::v1::ExecutorReport>(R"(step_done { result { name: "x" } })"));
  const std::string failed =
      Record(Act::kOther, 2,
             Bytes<agent::v1::ExecutorReport>(
                 R"(step_done { result { name: "x" reason: STEP_TIMED_OUT message: "late" } })"));
  const std::string wedged =
      Record(Act::kOther, 2,
             Bytes<agent::v1::ExecutorReport>(R"(wedged { pid: 7 state: "D" wchan: "rpc_wait" })"));
  const std::string released =
      Record(Act::kOther, 2, Bytes<agent::v1::ExecutorReport>("released {}"));
  const std::string ack = message(R"(result_ack { leases { task_id: "t0" attempt: 1 epoch: 9 } })");
  const std::string cancel = message(R"(cancel { lease { task_id: "t0" attempt: 1 epoch: 9 } })");
  const std::string assign = message(R"(assign { lease { task_id: "c/n" attempt: 1 epoch: 7 }
      resource_key: "k" kind: "bind_address" work: "b\013203.0.113.1" timeout { seconds: 9 } })");
  const std::string beat = message("heartbeat {}"), later = Record(Act::kTime, 16);
  const std::string works[] = {
      absl::StrCat("create_account { ", account, " }"),
      absl::StrCat("suspend_account { ", account, " }"),
      absl::StrCat("unsuspend_account { ", account, " }"),
      absl::StrCat("resync_account { ", account, " }"),
      absl::StrCat("resync_account { ", account, " apply: true }"),
      absl::StrCat("delete_account { ", account, " addresses_to_unbind: \"203.0.113.10\" }"),
      absl::StrCat("set_account_quota { ", account, " }"),
      absl::StrCat("add_account_address { ", account, " address: \"203.0.113.10\" }"),
      absl::StrCat("remove_account_address { ", account,
                   " address: \"203.0.113.10\" unbind: true }"),
      absl::StrCat("mount_share { ", share, " }"),
      absl::StrCat("unmount_share { ", share, " }"),
      absl::StrCat("set_quota { ", account, " }"),
      "bind_address { address: \"203.0.113.10\" }",
      "unbind_address { address: \"203.0.113.10\" }",
      absl::StrCat("preflight { shares { name: \"home\" server: \"10.0.0.1\" export_path: \"/h\" "
                   "mount_point: \"/home\" } quorum_address: \"10.0.0.1\" quorum_port: 7443 }"),
      R"(set_balancing { balancers: "10.0.0.2" } balancing { revision: 7
         settings { ports: 80 scheduler: "wlc" forwarding: DIRECT } addresses: "203.0.113.10"
         servers { node: "web1" addresses: "10.0.0.11" weight: 1 } balancers: "10.0.0.2" })",
      R"(set_exports {} exports { revision: 7 exports { server: "10.0.0.1" path: "/chroot/home"
         clients: "10.0.0.11" } })",
  };
  for (const std::string& text : works) {
    const std::string work = Bytes<agent::v1::Work>(text);
    const std::string task = Record(Act::kMessageOfLease, 0, work);
    const std::string other = Record(Act::kMessageOfLease, 2, work);
    Write("manager_message", task + done + done + done + ack + assign);
    Write("manager_message", welcome + other + task + wedged + later + released + cancel + beat);
    Write("manager_message", task + Record(Act::kRestart, 0) + welcome + failed + task + done);
    const std::string state = {'\4', '\0'};
    Write("journal_rows", state + Chunk("c/n") + Chunk("k") + Chunk(work) + "\1");
  }
  Write("journal_rows", std::string{'\6', '\0'} + Chunk("c/n") + Chunk("k") +
                            Chunk(Bytes<agent::v1::Result>("message: \"done\"")) + "\1");
}

void Requests() {
  const std::string specs[] = {
      R"(create_account { domain: "example.com" user: "exampleco" address: "203.0.113.10"
         quota_bytes: 10737418240 })",
      R"(suspend_account { domain: "example.com" note: "unpaid" })",
      R"(unsuspend_account { domain: "example.com" })",
      R"(resync_account { domain: "example.com" apply: true })",
      R"(set_account_quota { domain: "example.com" quota_bytes: 0 })",
      R"(add_account_address { domain: "example.com" address: "2001:db8::1" })",
      R"(remove_account_address { domain: "example.com" address: "203.0.113.10" })",
      R"(mount_share { share: "mail" source: "[2001:db8::2]:/mail" mount_point: "/mail" })",
      R"(unmount_share { share: "home" })",
      R"(set_quota { domain: "example.com" quota_bytes: 4096 })",
      R"(bind_address { address: "203.0.113.11" })",
      R"(unbind_address { address: "203.0.113.11" })",
      "preflight {}",
      R"(set_balancing { ports: 80 scheduler: "rr" persistence_seconds: 300 forwarding: TUNNEL
         weights { node: "web1" weight: 3 } })",
      R"(delete_account { domain: "example.com" })",
  };
  std::string all;
  for (const std::string& text : specs) {
    const std::string spec = '\0' + Chunk(Bytes<v1::CommandSpec>(text));
    Write("command_spec", spec);
    Write("command_spec", '\1' + spec.substr(1));
    all += spec;
  }
  Write("command_spec", all);
  const std::string token = manager::MakePageToken("1234", "ListCommands");
  Write("page_token", '\1' + Chunk("ListCommands") + token);
  Write("page_token", '\0' + Chunk("ListCommands") + "1234");
}

void Files() {
  const std::string manager = R"(state_dir = "/var/lib/hostq/manager"
[cluster]
name = "test"
quorum_address = "10.0.0.1"
uid_min = 20000
uid_max = 59999
[listen]
agents = "10.0.0.1:7443"
enrollment = "[2001:db8::1]:7444"
admin_socket = "/run/hostq/manager.sock"
admin_group = "hostq"
[log]
level = "debug"
[limits]
max_live_tasks = 1000
heartbeat_interval = "1m30s"
)";
  const std::string agent = R"(state_dir = "/var/lib/hostq/agent"
credits = 8
log.level = "info"
[policy]
share_sources = ["*:/*", "10.0.0.1:/chroot/home"]
mount_points = ["/home"]
address_ranges = ["203.0.113.0/24", "2001:db8::/32"]
uid_min = 20000
user_pattern = "[a-z]+"
kinds = ["bind_address"]
)";
  for (const std::string& text : {manager, agent, std::string("\"cluster.name\" = [1, {a = 2}]")}) {
    Write("configuration", '\0' + text);
    Write("configuration", '\1' + text);
  }
  Write("host", '\0' + std::string("22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
                                   "36 22 0:35 / /home rw - nfs4 10.0.0.1:/chroot/home "
                                   "rw,vers=4.2,addr=10.0.0.1\n40 22 0:36 /a\\040b /a\\011//deleted"
                                   " ro - tmpfs none rw\n"));
  Write("host", '\1' + std::string("abcd\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 28));
  Write("host", '\1' + std::string("abcd\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\7", 20));
  Write("host", '\3' + std::string("/chroot/home\t203.0.113.0/24(rw,sync)\n/srv\t*(ro)\n"));
  Write("host", '\2' + std::string("TCP  CB00710A:0050 rr persistent 30000 FFFFFFFF\n"
                                   "  -> CB007103:0050      Route   1      0          0\n"
                                   "TCP  [2001:0db8:0:0:0:0:0:10]:0050 rr\n"));
  const std::string report = Bytes<agent::v1::ExecutorReport>("step_done { id: 1 }");
  const std::string frame = {static_cast<char>(report.size()), 0, 0, 0};
  Write("frames", '\2' + frame + report + frame + report);
  Write("frames", '\200' + std::string("\0\0\0\0\0\0\0\1", 8));
}

void Texts() {
  for (const char* text : {"10GiB", "1536KiB", "unlimited", "9223372036854775807", "90s", "1h30m",
                           "2d", "2026-12-24T18:00:00Z", "05a40e6j01y6a", "05a40e6j01y6a/web1"}) {
    Write("values", '\0' + std::string(text));
  }
  for (const char* text : {"Example.COM", "xn--bcher-kva.example", "exampleco", "web-1", "/home/x",
                           "203.0.113.10", "2001:DB8::1", "::ffff:10.0.0.1", "10.0.0.0/8", "::/0",
                           "[2001:db8::1]:/chroot/home", "storage1:/home", "share/home"}) {
    Write("values", '\1' + std::string(text));
  }
  Write("values", "\2\10K\xc3\xb6nigsberger Klopse");
  const manager::NewJoinToken token = manager::MakeJoinToken("web1", absl::InfiniteFuture());
  Write("enrollment", '\0' + std::string(token.text.Reveal()));
  for (const char* text : {"00ff", "mzxw6", "Zm9v"}) Write("enrollment", '\1' + std::string(text));
  for (const char* text : {"hostq://node/web1/1", "10.0.0.1", "2001:db8:1:2:3::4"}) {
    Write("enrollment", '\2' + std::string(text));
  }
  const PrivateKey key = PrivateKey::Generate();
  Write("enrollment", '\2' + key.public_key().Hash());
  Write("enrollment", '\3' + MakeCertificateRequest(key, "web1"));
  Write("enrollment", '\3' + std::string(key.ToPem().Reveal()));
}

// What is shown to be let in, and what limits it.
void Credentials() {
  const manager::NewApiSecret secret = manager::MakeApiSecret("abcdefghij");
  Write("credentials", '\0' + std::string(secret.text.Reveal()));
  Write("credentials", std::string("\1\24\1", 3) + "abcdefghij");
  for (const char* scope : {"read", "submit:create_account,set_*:web1:*.shop.example", "act::web1",
                            "operate:bind_address", "admin", "read:::example.com,*"}) {
    Write("credentials", '\2' + Chunk(scope) + "web1");
  }
  Write("credentials", '\3' + Chunk("*.shop.*") + "a.shop.example");
  for (const char* range : {"10.0.0.0/24", "192.0.2.1", "2001:db8::/32", "::ffff:10.0.0.0/8"}) {
    Write("credentials", '\4' + Chunk(range) + "10.0.0.7");
  }
  // A good request, and each part of it changed or replaced: see renewal.cc.
  Write("renewal", std::string(7, '\0'));
  Write("renewal", std::string("\1\1\0\0\0\0\0", 7));
  Write("renewal", std::string("\2\2\3\0\0\0\0", 7));
  for (char who = 3; who < 6; ++who) Write("renewal", std::string{who, who, 0, 0, 0, 0, 0});
  Write("renewal", std::string("\0\1\0\0\0\0\0", 7));
  Write("renewal", std::string("\0\0\0\2\0\100\0\1\0\0\0", 11));
  Write("renewal", std::string("\0\0\0\0\3\0\100\0\7\0\0", 11));
  Write("renewal", std::string("\0\0\0\0\0\1", 6) + Chunk("sha256:00") + '\0');
  Write("renewal", std::string("\0\0\0\0\0\0\2\0\5\0\1", 11));
}

void HttpRequests() {
  const std::string json = "\ncontent-type: application/json\n";
  Write("http_request", "GET /v1/commands?pageSize=10&activeOnly=true&resourceKey=account/a.b");
  Write("http_request",
        "GET /v1/audit?startTime=2026-01-02T03:04:05Z&newestFirst=true&actor=%C3%A9");
  Write("http_request", "GET /v1/events?sinceSequence=9007199254740993&node=web1&noFollow=true");
  Write("http_request", "DELETE /v1/nodes/web1?force=true");
  Write("http_request", "POST /v1/nodes/web%311:pause" + json + R"({"note": "x", "drain": true})");
  Write("http_request", "POST /v1/commands\nidempotency-key: k" + json + R"(
{"requestId": "k", "spec": {"createAccount": {"domain": "a.example", "user": "a", "address": "192.0.2.1",
"quotaBytes": "1073741824"}}, "nodes": ["web1"], "notAfter": "2026-01-02T03:04:05.5Z", "maxFailures": 0})");
  Write("http_request", "POST /v1/keys" + json + R"(
{"name": "a", "scopes": ["read"], "expiresIn": "3600.5s", "requestsPerSecond": 5})");
}

}  // namespace
}  // namespace hostq::fuzz

int main(int argc, char** argv) {
  using namespace hostq::fuzz;
  if (argc != 2) {
    std::cerr << "usage: hostq_fuzz_seeds FOLDER" << std::endl;
    return 2;
  }
  folder = argv[1];
  fs::remove_all(folder);
  AgentMessages();
  ManagerMessages();
  Requests();
  Files();
  Texts();
  Credentials();
  HttpRequests();
  return 0;
}
