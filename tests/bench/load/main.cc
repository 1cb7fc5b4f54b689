// hostq_load: what a running manager can do, seen from outside. Agents with the agent's own session
// and journal, and clients of the API; or only idle agents. Prints one line of JSON.
#include <signal.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "agents.h"
#include "common/crypto/secret_file.h"
#include "common/log/log.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "grpcpp/create_channel.h"
#include "hostq/v1/node_service.grpc.pb.h"
#include "measure.h"
#include "pki.h"
#include "round_trip.h"
#include "submitters.h"

namespace hostq::bench {
namespace {

constexpr char kHelp[] =
    "hostq_load: measures a running manager (tests/bench/README.md).\n\n"
    "  certificates   makes an authority and the manager's certificate\n"
    "  nodes          adds the nodes to a running manager, by its socket\n"
    "  anchor         how fast the disk makes 4 KiB durable\n"
    "  round-trips    how fast the network answers, over mutual TLS\n"
    "  bare-connections  how long connections take that do nothing else\n"
    "  run            agents, and clients that submit pings, for some seconds\n"
    "  idle           agents that wait for nothing\n";

struct Options {
  std::string directory, socket, agents_address, api_address, key_file,
      journals = "/dev/shm/hostq-bench";
  int manager_pid = 0;
  int nodes = 64, credits = 16;
  double seconds = 5, warm_up = 1;
  Submitters::Options submit;
};

std::string NodeName(int i) { return absl::StrFormat("n%05d", i); }

Agents::Options AgentOptions(const Options& options) {
  Agents::Options agents;
  for (int i = 0; i < options.nodes; ++i) agents.nodes.push_back(NodeName(i));
  agents.manager = options.agents_address;
  agents.journals = options.journals;
  agents.credits = options.credits;
  return agents;
}

struct Moment {
  int64_t nanos = Nanos();
  uint64_t done = 0, accepted = 0, refused = 0;
  ProcessUse manager, self;
};

Moment Look(const Options& options, const Agents& agents, const Submitters* submitters) {
  Moment now;
  now.done = agents.done();
  if (submitters != nullptr) {
    now.accepted = submitters->accepted();
    now.refused = submitters->refused();
  }
  now.manager = UseOf(options.manager_pid);
  now.self = UseOf(getpid());
  return now;
}

// Adds nodes to the cluster: those that are there already stay.
int AddNodes(const Options& options) {
  const auto stub = v1::NodeService::NewStub(grpc::CreateChannel(
      absl::StrCat("unix:", options.socket), grpc::InsecureChannelCredentials()));
  for (int i = 0; i < options.nodes; ++i) {
    v1::CreateNodeRequest request;
    request.set_name(NodeName(i));
    request.add_roles(v1::Node::APP);
    request.set_address(absl::StrFormat("10.%d.%d.%d", 1 + i / 62500, i / 250 % 250, 1 + i % 250));
    v1::CreateNodeResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub->CreateNode(&context, request, &response);
    if (!status.ok() && status.error_code() != grpc::StatusCode::ALREADY_EXISTS) {
      std::cerr << "hostq_load: " << status.error_message() << "\n";
      return 1;
    }
  }
  return 0;
}

int Run(Options& options) {
  const Pki pki(options.directory);
  Agents agents(pki, AgentOptions(options));
  agents.Start();
  // A node gets its first preflight.
  absl::SleepFor(absl::Milliseconds(500));
  const uint64_t before = agents.done();
  options.submit.api = options.api_address;
  options.submit.ca_pem = pki.ca_pem();
  options.submit.key = std::string((*ReadSecretFile(options.key_file)).Reveal());
  while (!options.submit.key.empty() && options.submit.key.back() == '\n') {
    options.submit.key.pop_back();
  }
  options.submit.nodes = AgentOptions(options).nodes;
  Submitters submitters(options.submit, [&] { return agents.done() - before; });
  submitters.Start();
  absl::SleepFor(absl::Seconds(options.warm_up));
  const Moment start = Look(options, agents, &submitters);
  agents.recording = submitters.recording = true;
  absl::SleepFor(absl::Seconds(options.seconds));
  agents.recording = submitters.recording = false;
  const Moment end = Look(options, agents, &submitters);
  submitters.Stop();
  const int64_t stopped = Nanos();
  const uint64_t wanted = before + submitters.accepted();
  while (agents.done() < wanted && Nanos() - stopped < 10'000'000'000) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  const double drained = static_cast<double>(Nanos() - stopped) / 1e9;
  const bool complete = agents.done() >= wanted;
  agents.Stop();
  const double seconds = static_cast<double>(end.nanos - start.nanos) / 1e9;
  const auto done = static_cast<double>(end.done - start.done);
  const Latencies starts = agents.TakeStartLatencies();
  const Latencies calls = submitters.TakeCallLatencies();
  const auto cpu = [&](const ProcessUse& from, const ProcessUse& to) {
    return done == 0 ? 0 : (to.cpu_seconds - from.cpu_seconds) / done * 1e6;
  };
  std::cout << absl::StrFormat(
      "{\"tasks_per_second\":%.1f,\"accepted_per_second\":%.1f,\"refused_per_second\":%.1f,"
      "\"start_p50_ms\":%.3f,\"start_p99_ms\":%.3f,\"call_p50_ms\":%.3f,\"call_p99_ms\":%.3f,"
      "\"manager_us_per_task\":%.1f,\"load_us_per_task\":%.1f,\"manager_cores\":%.2f,"
      "\"manager_kib\":%d,\"drain_seconds\":%.2f,\"all_done\":%s,\"error\":\"%s\"}\n",
      done / seconds, static_cast<double>(end.accepted - start.accepted) / seconds,
      static_cast<double>(end.refused - start.refused) / seconds, starts.Quantile(0.5),
      starts.Quantile(0.99), calls.Quantile(0.5), calls.Quantile(0.99),
      cpu(start.manager, end.manager), cpu(start.self, end.self),
      (end.manager.cpu_seconds - start.manager.cpu_seconds) / seconds, end.manager.anonymous_kib,
      drained, complete ? "true" : "false", submitters.error());
  return complete && submitters.error().empty() ? 0 : 1;
}

int Idle(const Options& options) {
  const Pki pki(options.directory);
  const ProcessUse bare = UseOf(options.manager_pid);
  Agents agents(pki, AgentOptions(options));
  const int64_t begin = Nanos();
  agents.Start();
  const double connected = static_cast<double>(Nanos() - begin) / 1e9;
  absl::SleepFor(absl::Seconds(options.warm_up));
  const Moment start = Look(options, agents, nullptr);
  absl::SleepFor(absl::Seconds(options.seconds));
  const Moment end = Look(options, agents, nullptr);
  const double seconds = static_cast<double>(end.nanos - start.nanos) / 1e9;
  std::cout << absl::StrFormat(
                   "{\"agents\":%d,\"connect_seconds\":%.2f,\"kib_per_agent\":%.1f,"
                   "\"manager_cores\":%.4f,\"connect_cpu_seconds\":%.2f,\"threads\":%d}",
                   options.nodes, connected,
                   static_cast<double>(end.manager.anonymous_kib - bare.anonymous_kib) /
                       options.nodes,
                   (end.manager.cpu_seconds - start.manager.cpu_seconds) / seconds,
                   start.manager.cpu_seconds - bare.cpu_seconds, end.manager.threads)
            << std::endl;
  agents.Stop();
  return 0;
}

int Main(int argc, char** argv) {
  RequireTls13();
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  InitLog("hostq-load", LogLevel::kError);
  Options options;
  CLI::App app(kHelp, "hostq_load");
  app.require_subcommand(1);
  CLI::App* certificates = app.add_subcommand("certificates", "");
  CLI::App* anchor = app.add_subcommand("anchor", "");
  CLI::App* nodes = app.add_subcommand("nodes", "");
  nodes->add_option("--socket", options.socket)->required();
  nodes->add_option("--nodes", options.nodes);
  CLI::App* trips = app.add_subcommand("round-trips", "");
  double rate = 100;
  trips->add_option("--rate", rate);
  CLI::App* bare = app.add_subcommand("bare-connections", "");
  bare->add_option("--nodes", options.nodes);
  CLI::App* run = app.add_subcommand("run", "");
  CLI::App* idle = app.add_subcommand("idle", "");
  for (CLI::App* command : {certificates, anchor, trips, bare, run, idle}) {
    command->add_option("--directory", options.directory)->required();
    command->add_option("--seconds", options.seconds);
  }
  for (CLI::App* command : {run, idle}) {
    command->add_option("--agents-address", options.agents_address)->required();
    command->add_option("--manager-pid", options.manager_pid)->required();
    command->add_option("--journals", options.journals);
    command->add_option("--nodes", options.nodes);
    command->add_option("--credits", options.credits);
    command->add_option("--warm-up", options.warm_up);
  }
  run->add_option("--api", options.api_address)->required();
  run->add_option("--key-file", options.key_file)->required();
  run->add_option("--clients", options.submit.clients);
  run->add_option("--window", options.submit.window);
  run->add_option("--batch", options.submit.batch);
  run->add_option("--payload", options.submit.payload);
  run->add_option("--rate", options.submit.rate);
  run->add_option("--max-unfinished", options.submit.max_unfinished);
  run->add_flag("--fan-out", options.submit.fan_out);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (certificates->parsed()) {
    Pki::Create(options.directory);
    return 0;
  }
  if (nodes->parsed()) return AddNodes(options);
  if (trips->parsed()) {
    const Latencies all =
        MeasureRoundTrips(options.directory, rate, absl::Seconds(options.seconds));
    std::cout << absl::StrFormat("{\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", all.Quantile(0.5),
                                 all.Quantile(0.99));
    return 0;
  }
  if (bare->parsed()) {
    std::cout << absl::StrFormat("{\"seconds\":%.3f}\n",
                                 MeasureBareConnections(options.directory, options.nodes, 32));
    return 0;
  }
  if (anchor->parsed()) {
    const Anchor measured = MeasureAnchor(options.directory, absl::Seconds(options.seconds));
    std::cout << absl::StrFormat("{\"per_second\":%.1f,\"p50_ms\":%.3f}\n", measured.per_second,
                                 measured.p50_ms);
    return 0;
  }
  std::filesystem::remove_all(options.journals);
  const int code = run->parsed() ? Run(options) : Idle(options);
  std::filesystem::remove_all(options.journals);
  return code;
}

}  // namespace
}  // namespace hostq::bench

int main(int argc, char** argv) { return hostq::bench::Main(argc, argv); }
