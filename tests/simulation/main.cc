// hostq_simulation: see docs/simulation.md.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "world.h"

namespace {

constexpr char kUsage[] =
    "hostq_simulation [--seeds N] [--from SEED] [--trace N] [--stop-at-first]\n"
    "\n"
    "Runs one simulated cluster for each of N seeds (1000, or $HOSTQ_SIMULATION_SEEDS) from SEED\n"
    "(1). A seed that finds a violation is printed with the last --trace events (40) and the\n"
    "command that replays it. --stop-at-first: ends with it. Ends with \"N passed, N failed\".\n";

struct Arguments {
  uint64_t seeds = 1000;
  uint64_t from = 1;
  uint64_t trace = 40;
  bool stop_at_first = false;
};

uint64_t current_seed = 0;

// A broken invariant of the programs ends the process: whoever reads that needs the seed too.
void OnAbort(int) {
  char text[120];
  const int length = snprintf(text, sizeof(text), "seed %llu: aborted\n0 passed, 1 failed\n",
                              static_cast<unsigned long long>(current_seed));
  if (write(STDOUT_FILENO, text, static_cast<size_t>(length)) < 0) _exit(3);
  _exit(1);
}

bool Parse(int argc, char** argv, Arguments& arguments) {
  if (const char* seeds = getenv("HOSTQ_SIMULATION_SEEDS"); seeds != nullptr) {
    if (!absl::SimpleAtoi(seeds, &arguments.seeds)) return false;
  }
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--stop-at-first") == 0) {
      arguments.stop_at_first = true;
      continue;
    }
    uint64_t* value = strcmp(argv[i], "--seeds") == 0   ? &arguments.seeds
                      : strcmp(argv[i], "--from") == 0  ? &arguments.from
                      : strcmp(argv[i], "--trace") == 0 ? &arguments.trace
                                                        : nullptr;
    if (value == nullptr || ++i == argc || !absl::SimpleAtoi(argv[i], value)) return false;
  }
  return true;
}

struct Totals {
  uint64_t passed = 0, failed = 0;
  double node_hours = 0;
  std::map<std::string_view, uint64_t> counts;
};

// What was wrong with this seed; empty: nothing.
std::string Run(uint64_t seed, size_t trace, Totals& totals, uint64_t* digest) {
  current_seed = seed;
  hostq::simulation::World world(seed);
  const hostq::simulation::World::Result result = world.Run(trace);
  totals.node_hours += result.node_hours;
  for (const auto& [what, count] : result.counts) totals.counts[what] += count;
  *digest = result.digest;
  if (result.violation.empty()) return "";
  return absl::StrFormat("%sseed %d: %s\n  replay: tests/simulation/run.sh --seeds 1 --from %d\n",
                         result.trace, seed, result.violation, seed);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
    fputs(kUsage, stdout);
    return 0;
  }
  if (!Parse(argc, argv, arguments)) {
    fputs(kUsage, stderr);
    return 2;
  }
  signal(SIGABRT, OnAbort);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto start = std::chrono::steady_clock::now();
  Totals totals;
  for (uint64_t i = 0; i < arguments.seeds; ++i) {
    const uint64_t seed = arguments.from + i;
    uint64_t digest = 0;
    std::string failure = Run(seed, arguments.trace, totals, &digest);
    if (failure.empty() && i % 200 == 0) {
      // What cannot be replayed is worth nothing.
      Totals ignored;
      uint64_t again = 0;
      (void)Run(seed, arguments.trace, ignored, &again);
      if (again != digest) failure = absl::StrFormat("seed %d: runs differ\n", seed);
    }
    failure.empty() ? ++totals.passed : ++totals.failed;
    fputs(failure.c_str(), stdout);
    if (totals.failed > 0 && arguments.stop_at_first) break;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const auto& [what, count] : totals.counts) {
    absl::PrintF("%10d %s\n", count, absl::string_view(what.data(), what.size()));
  }
  absl::PrintF("%d seeds, %.0f simulated node-hours in %.1f s: %.0f node-hours a minute\n",
               totals.passed + totals.failed, totals.node_hours, seconds,
               totals.node_hours / seconds * 60);
  absl::PrintF("%d passed, %d failed\n", totals.passed, totals.failed);
  return totals.failed == 0 ? 0 : 1;
}
