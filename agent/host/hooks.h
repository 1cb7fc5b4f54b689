#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/host/contained_program.h"

namespace hostq::agent {

// What is in a directory of hooks.
struct HookDirectory {
  struct Ignored {
    std::string name;
    std::string why;
    // By its name and kind it was to be one; not a README, nor an editor's copy.
    bool meant = false;
  };
  // Names of what is to be run, in order.
  std::vector<std::string> hooks;
  // Those of them that have a companion NAME.reload.
  std::set<std::string> reloads;
  std::vector<Ignored> ignored;
};

using HookOutcome = ContainedOutcome;

// Programs of the node's administrator, in a directory that root alone can change.
class Hooks {
 public:
  virtual ~Hooks() = default;
  // Hooks are the regular, executable files of root that nobody else may write, named with letters,
  // digits, '-' and '_' (as in run-parts(8)); NAME.reload is the companion of NAME. The rest is
  // ignored, links too. NOT_FOUND without such a directory; HOOK_DIRECTORY_UNSAFE (evidence:
  // directory).
  virtual absl::StatusOr<HookDirectory> List(const std::string& directory) = 0;
  // As RunContained, with both outputs in one.
  virtual absl::StatusOr<HookOutcome> Run(const std::string& path, const std::string& input,
                                          absl::Duration timeout) = 0;
};

// How a reload came about.
struct ReloadOutcome {
  // Done by somebody else after it was asked for.
  bool by_another = false;
  // How many others it was done for as well.
  int others = 0;
};

// Reloads, each carried out once for all who wait for it: the one that finds none running runs it,
// and whoever asks meanwhile gets the next one, together. So a reload is never older than what it
// was asked for, and a hundred changes do not need a hundred reloads. Names are those of hooks; who
// asks is named by a text. Lasts until the next boot. Safe between processes. Errors: INTERNAL,
// OUT_OF_RESOURCES, SHARE_READ_ONLY, PERMISSION_DENIED, as files have them.
class Reloads {
 public:
  virtual ~Reloads() = default;
  // Before what may make it necessary, so that it is not forgotten if that is cut short. True if
  // `who` has announced it or asked for it before, and got none since.
  virtual absl::StatusOr<bool> Announce(const std::string& name, const std::string& who) = 0;
  // After that: it is necessary, or it is not after all.
  virtual absl::Status Ask(const std::string& name, const std::string& who) = 0;
  virtual absl::Status Withdraw(const std::string& name, const std::string& who) = 0;
  // Returns when a reload that began after `who` asked has ended: by calling `run`, at least
  // `interval` after the last one began, or because another process has. What came of it is the
  // same for all who waited for it; after a failure they wait until somebody asks again, and the
  // next reload that succeeds is for them too. HOOK_TIMED_OUT if another's does not end in
  // `patience`.
  virtual absl::StatusOr<ReloadOutcome> Await(const std::string& name, const std::string& who,
                                              absl::Duration interval, absl::Duration patience,
                                              absl::FunctionRef<absl::Status()> run) = 0;
};

}  // namespace hostq::agent
