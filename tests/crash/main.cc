// The driver of the crash test: see run.sh, which makes the cluster and calls it.
//
//   hostq_crash --bin DIR --run DIR --cycles N --seed N POINT...
//
// A cycle kills the manager and every agent and executor at random moments and starts each again
// with one of the named points armed; it ends when all of them have struck and everything runs
// again. Clients submit all the time. Then everything finishes, and what there is is compared with
// what was acknowledged.

#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "hostq/v1/node_service.grpc.pb.h"
#include "tests/crash/check.h"
#include "tests/crash/load.h"
#include "tests/crash/process.h"

namespace hostq::crash {
namespace {

constexpr int kClients = 24;
// Under the load it takes a fraction of a second; more means that something stands still.
constexpr auto kStrikePatience = std::chrono::seconds(30);
constexpr auto kFinishPatience = std::chrono::seconds(60);
// A point strikes at one of its first so many passes.
constexpr uint64_t kPasses = 30;

struct Options {
  std::string bin, run;
  int cycles = 0;
  uint64_t seed = 0;
  std::vector<std::string> points;
};

using Clock = std::chrono::steady_clock;

constexpr char kExecutorSuffix[] = "-executor";

class CrashTest {
 public:
  explicit CrashTest(const Options& options) : options_(options), random_(options.seed) {
    const std::string& run = options_.run;
    programs_.emplace_back("manager",
                           std::vector<std::string>{options_.bin + "/hostq-manager", "run",
                                                    "--config", run + "/manager.toml"},
                           run + "/manager.log", "");
    for (const char* name : {"n1", "n2"}) {
      const std::string at = absl::StrCat(run, "/", name);
      programs_.emplace_back(name,
                             std::vector<std::string>{options_.bin + "/hostq-agent", "run",
                                                      "--config", at + "/agent.toml"},
                             at + ".log", at + ".net");
      programs_.emplace_back(absl::StrCat(name, kExecutorSuffix),
                             std::vector<std::string>{options_.bin + "/hostq-executor", "run",
                                                      "--config", at + "/agent.toml"},
                             at + ".executor.log", at + ".net");
      nodes_.push_back({name, at + ".addresses", at + ".net"});
      names_.push_back(name);
    }
    for (const std::string& point : options_.points) struck_[point] = 0;
    armed_.resize(programs_.size());
  }

  // The number of failures.
  int Run() {
    const auto start = Clock::now();
    for (Process& program : programs_) program.Start("");
    if (!Ready()) return Failed("the nodes are not ready");
    Load load(socket(), names_, kClients, options_.seed);
    int cycle = 0;
    while (surprises_.empty() && (cycle < options_.cycles || !unstruck().empty())) {
      if (!Cycle(++cycle)) break;
    }
    load.Stop();
    const auto until = Clock::now() + kFinishPatience;
    for (; !load.idle() && Clock::now() < until; Pause(5)) Watch();
    const bool finished = load.idle();
    if (!finished) surprises_.push_back("not everything has finished");
    load.Join();
    Findings findings;
    if (finished) findings = Check(socket(), load.submissions(), nodes_);
    for (Process& program : programs_) {
      if (const int status = program.Stop(); status != 0) {
        surprises_.push_back(absl::StrCat(program.name(), " stopped with ", status));
      }
    }
    const std::chrono::duration<double> taken = Clock::now() - start;
    std::printf("%d cycles in %.1f s: killed %d times at random moments, %d times at %zu points\n",
                cycle, taken.count(), kills_, strikes(), struck_.size());
    for (const auto& [point, count] : struck_) std::printf("  %-28s %d\n", point.c_str(), count);
    std::printf(
        "%d commands, %d tasks, %d attempts (%d repeated), %d effects, %d answers lost and asked "
        "for again\n",
        findings.commands, findings.tasks, findings.attempts, findings.repeated, findings.effects,
        findings.lost_answers);
    std::printf("duplicates %zu, lost %zu\n", findings.duplicates.size(), findings.lost.size());
    return Verdict(findings, load.errors());
  }

 private:
  std::string socket() const { return options_.run + "/manager.sock"; }
  int strikes() const {
    int sum = 0;
    for (const auto& [point, count] : struck_) sum += count;
    return sum;
  }
  std::vector<std::string> unstruck() const {
    std::vector<std::string> points;
    for (const auto& [point, count] : struck_) {
      if (count == 0) points.push_back(point);
    }
    return points;
  }

  int Failed(const std::string& why) {
    std::printf("FAILED %s\n0 passed, 1 failed\n", why.c_str());
    return 1;
  }

  bool Ready() {
    const auto stub = v1::NodeService::NewStub(AdminChannel(socket()));
    for (int i = 0; i < 600; ++i) {
      v1::ListNodesResponse response;
      Call call;
      const bool answered = stub->ListNodes(&call, {}, &response).ok();
      size_t ready = 0;
      for (const v1::Node& node : response.nodes()) ready += node.state() == v1::Node::READY;
      if (answered && ready == names_.size()) return true;
      Pause(50);
    }
    return false;
  }

  static void Pause(uint64_t milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }

  // A point of that program which has struck least.
  std::string NextPoint(const std::string& program) {
    const char* kind = program == "manager"                       ? "manager."
                       : absl::EndsWith(program, kExecutorSuffix) ? "executor."
                                                                  : "agent.";
    std::vector<std::string> least;
    int fewest = INT32_MAX;
    for (const auto& [point, count] : struck_) {
      if (!absl::StartsWith(point, kind)) continue;
      bool taken = false;
      for (const Armed& armed : armed_) taken |= armed.point == point;
      if (taken || count > fewest) continue;
      if (count < fewest) least.clear();
      fewest = count;
      least.push_back(point);
    }
    return least.empty() ? "" : least[random_() % least.size()];
  }

  bool Cycle(int number) {
    std::deque<size_t> order;
    for (size_t i = 0; i < programs_.size(); ++i) {
      order.insert(order.begin() + static_cast<ptrdiff_t>(random_() % (order.size() + 1)), i);
    }
    for (Armed& armed : armed_) armed = {};
    for (const size_t i : order) {
      Pause(random_() % 200);
      Watch();
      programs_[i].Kill();
      ++kills_;
      Armed& armed = armed_[i];
      armed.point = NextPoint(programs_[i].name());
      armed.pass = 1 + random_() % kPasses;
      armed.file = absl::StrCat(options_.run, "/struck-", number, "-", programs_[i].name());
      programs_[i].Start(absl::StrCat(armed.point, ":", armed.pass, ":", armed.file));
    }
    const auto until = Clock::now() + kStrikePatience;
    for (size_t open = programs_.size(); open > 0; Pause(5)) {
      Watch();
      open = 0;
      for (Armed& armed : armed_) open += !Struck(armed);
      if (!surprises_.empty()) return false;
      if (Clock::now() > until) {
        for (const Armed& armed : armed_) {
          if (!armed.counted) {
            surprises_.push_back(absl::StrCat("cycle ", number, ": pass ", armed.pass, " of ",
                                              armed.point, " was not reached"));
          }
        }
        return false;
      }
    }
    return true;
  }

  // What a point has ended is started again; armed still, but it strikes once only.
  void Watch() {
    for (size_t i = 0; i < programs_.size(); ++i) {
      if (!programs_[i].Ended(surprises_)) continue;
      const Armed& armed = armed_[i];
      programs_[i].Start(
          armed.file.empty() ? "" : absl::StrCat(armed.point, ":", armed.pass, ":", armed.file));
    }
  }

  struct Armed {
    std::string point;
    uint64_t pass = 0;
    std::string file;
    bool counted = false;
  };
  bool Struck(Armed& armed) {
    if (armed.counted) return true;
    struct stat info {};
    if (stat(armed.file.c_str(), &info) != 0 || static_cast<uint64_t>(info.st_size) < armed.pass) {
      return false;
    }
    ++struck_[armed.point];
    return armed.counted = true;
  }

  // One for each point, and one for each thing that must be so.
  int Verdict(const Findings& findings, const std::vector<std::string>& refused) {
    int passed = 0;
    int failed = 0;
    const auto judge = [&](const std::string& what, const std::vector<std::string>& wrong) {
      ++(wrong.empty() ? passed : failed);
      if (wrong.empty()) return;
      std::printf("FAILED %s\n", what.c_str());
      for (size_t i = 0; i < wrong.size() && i < 20; ++i) std::printf("  %s\n", wrong[i].c_str());
      if (wrong.size() > 20) std::printf("  ... %zu in all\n", wrong.size());
    };
    for (const auto& [point, count] : struck_) {
      judge("the point must be reached",
            count > 0 ? std::vector<std::string>() : std::vector<std::string>{point});
    }
    judge("every program dies by SIGKILL only, and everything ends", surprises_);
    judge("every request is answered, and repeated it is the same command", refused);
    judge("what was acknowledged is there and was done", findings.lost);
    judge("nothing is there or was done twice", findings.duplicates);
    if (failed != 0) {
      std::printf("again: tests/crash/run.sh --cycles %d --seed %llu\n", options_.cycles,
                  static_cast<unsigned long long>(options_.seed));
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed;
  }

  const Options options_;
  std::mt19937_64 random_;
  std::vector<Process> programs_;  // the manager first
  std::vector<Node> nodes_;
  std::vector<std::string> names_;
  std::vector<Armed> armed_;           // by program
  std::map<std::string, int> struck_;  // by point
  std::vector<std::string> surprises_;
  int kills_ = 0;
};

bool Parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!absl::StartsWith(word, "--")) {
      options.points.push_back(word);
      continue;
    }
    if (++i == argc) return false;
    if (word == "--bin") {
      options.bin = argv[i];
    } else if (word == "--run") {
      options.run = argv[i];
    } else if (word == "--cycles") {
      if (!absl::SimpleAtoi(argv[i], &options.cycles)) return false;
    } else if (word == "--seed") {
      if (!absl::SimpleAtoi(argv[i], &options.seed)) return false;
    } else {
      return false;
    }
  }
  return !options.bin.empty() && !options.run.empty() && !options.points.empty();
}

}  // namespace
}  // namespace hostq::crash

int main(int argc, char** argv) {
  hostq::crash::Options options;
  if (!hostq::crash::Parse(argc, argv, options)) {
    std::fprintf(stderr, "hostq_crash: called by tests/crash/run.sh\n");
    return 2;
  }
  return hostq::crash::CrashTest(options).Run() == 0 ? 0 : 1;
}
