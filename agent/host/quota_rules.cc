// Quotas as the node's configuration says: by a program of its administrator, or not at all.
// docs/reference/quotas.md is the contract with such a program.

#include <fnmatch.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/host/contained_program.h"
#include "agent/host/evidence.h"
#include "agent/host/quotas.h"
#include "agent/host/trusted_path.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {

const QuotaRule* RuleFor(const std::vector<QuotaRule>& rules, const Mount& mount) {
  std::vector<std::string> names = {mount.source};
  const size_t path = mount.source.rfind(":/");
  if (const std::string address = mount.Option("addr"); mount.nfs() && path != std::string::npos) {
    names.push_back(NfsSource(address, mount.source.substr(path + 1)));
  }
  for (const QuotaRule& rule : rules) {
    for (const std::string& name : names) {
      if (fnmatch(rule.source.c_str(), name.c_str(), 0) == 0) return &rule;
    }
  }
  return nullptr;
}

namespace {

constexpr int64_t kBlock = 1024;
// Exit statuses with a meaning, besides 0.
constexpr int kUnreachable = 3;
constexpr int kNotPermitted = 4;

// What a program says of a user, in its own order and units.
struct Limits {
  int64_t files_soft = 0, files_hard = 0, blocks_soft = 0, blocks_hard = 0, blocks_used = 0;
};

absl::Status ProgramError(Reason reason, const QuotaRule& rule, const ContainedOutcome& outcome,
                          absl::string_view what) {
  absl::Status status = MakeError(absl::StatusCode::kFailedPrecondition, reason,
                                  absl::StrCat(rule.program, " ", what));
  const std::pair<const char*, std::string> seen[] = {
      {"program", rule.program},
      {"output", outcome.errors.empty() ? outcome.output : outcome.errors},
      {"state", outcome.stuck_in},
      {"left_behind", outcome.left_behind > 0 ? absl::StrCat(outcome.left_behind) : ""}};
  for (const auto& [name, value] : seen) {
    if (!value.empty()) status = WithEvidence(std::move(status), name, value);
  }
  return status;
}

// Runs PROGRAM SOURCE ARGUMENT...; what it wrote.
absl::StatusOr<std::string> Run(const QuotaRule& rule, const Mount& mount,
                                const std::vector<std::string>& arguments) {
  const std::string asked = absl::StrCat(" (", arguments[0], " user ", arguments[2], ")");
  // Whoever can change it is root by that.
  if (const absl::Status trusted = CheckTrusted(rule.program); !trusted.ok()) {
    return ProgramError(Reason::kQuotaProgramFailed, rule, {},
                        absl::StrCat("is not run: ", trusted.message()));
  }
  std::vector<std::string> argv = {rule.program, mount.source};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  HOSTQ_ASSIGN_OR_RETURN(const ContainedOutcome outcome,
                         RunContained(argv, "", rule.timeout, Errors::kApart));
  const auto failed = [&](Reason reason, absl::string_view what) {
    return ProgramError(reason, rule, outcome, absl::StrCat(what, asked));
  };
  if (outcome.timed_out) {
    return failed(Reason::kQuotaProgramFailed,
                  absl::StrCat("was ended at its deadline, after ", FormatAge(rule.timeout)));
  }
  if (outcome.signal != 0) {
    return failed(Reason::kQuotaProgramFailed,
                  absl::StrCat("was ended by signal ", outcome.signal));
  }
  if (outcome.exit_status == kUnreachable) {
    return failed(Reason::kQuotaServiceUnreachable, "does not reach the file server");
  }
  if (outcome.exit_status == kNotPermitted && arguments[0] == "set") {
    return failed(Reason::kQuotaSetNotPermitted, "is not permitted to set the quota");
  }
  if (outcome.exit_status != 0) {
    return failed(Reason::kQuotaProgramFailed,
                  absl::StrCat("ended with status ", outcome.exit_status));
  }
  return outcome.output;
}

absl::StatusOr<Limits> ReadLimits(const QuotaRule& rule, const Mount& mount, uint32_t uid) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string output,
                         Run(rule, mount, {"get", "user", absl::StrCat(uid)}));
  Limits limits;
  int64_t* const fields[] = {&limits.files_soft, &limits.files_hard, &limits.blocks_soft,
                             &limits.blocks_hard, &limits.blocks_used};
  const std::vector<std::string> words =
      absl::StrSplit(output, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  bool right = words.size() == std::size(fields);
  for (size_t i = 0; right && i < words.size(); ++i) {
    right = absl::SimpleAtoi(words[i], fields[i]) && *fields[i] >= 0 &&
            *fields[i] <= INT64_MAX / kBlock;
  }
  if (right) return limits;
  ContainedOutcome seen;
  seen.output = output;
  return ProgramError(
      Reason::kQuotaProgramFailed, rule, seen,
      absl::StrCat("did not print ISOFT IHARD BSOFT BHARD BUSED (get user ", uid, ")"));
}

absl::Status SwitchedOff(const Mount& mount) {
  return WithEvidence(MakeError(absl::StatusCode::kFailedPrecondition, Reason::kQuotaSwitchedOff,
                                absl::StrCat("quotas on ", mount.source,
                                             " are switched off in this node's configuration")),
                      "source", mount.source);
}

class ConfiguredQuotas final : public Quotas {
 public:
  ConfiguredQuotas(std::vector<QuotaRule> rules, std::unique_ptr<Quotas> others)
      : rules_(std::move(rules)), others_(std::move(others)) {}

  QuotaBackend BackendOf(const Mount& mount) override {
    const QuotaRule* const rule = RuleFor(rules_, mount);
    if (rule == nullptr) return others_->BackendOf(mount);
    return rule->program.empty() ? QuotaBackend::kSwitchedOff : QuotaBackend::kProgram;
  }

  absl::StatusOr<Quota> Get(const Mount& mount, uint32_t uid) override {
    const QuotaRule* const rule = RuleFor(rules_, mount);
    if (rule == nullptr) return others_->Get(mount, uid);
    if (rule->program.empty()) return SwitchedOff(mount);
    HOSTQ_ASSIGN_OR_RETURN(const Limits limits, ReadLimits(*rule, mount, uid));
    return Quota{limits.blocks_hard * kBlock, limits.blocks_soft * kBlock,
                 limits.blocks_used * kBlock, kBlock};
  }

  absl::Status Set(const Mount& mount, uint32_t uid, int64_t bytes) override {
    const QuotaRule* const rule = RuleFor(rules_, mount);
    if (rule == nullptr) return others_->Set(mount, uid, bytes);
    if (rule->program.empty()) return SwitchedOff(mount);
    // It is told all four: those that are to stay as they are too.
    HOSTQ_ASSIGN_OR_RETURN(const Limits now, ReadLimits(*rule, mount, uid));
    const int64_t blocks = bytes / kBlock + (bytes % kBlock != 0 ? 1 : 0);
    return Run(*rule, mount,
               {"set", "user", absl::StrCat(uid), absl::StrCat(now.files_soft),
                absl::StrCat(now.files_hard), "0", absl::StrCat(blocks)})
        .status();
  }

  absl::Status CheckSettable(const Mount& mount) override {
    return RuleFor(rules_, mount) == nullptr ? others_->CheckSettable(mount)
                                             : Get(mount, 0).status();
  }
  absl::Status CheckEnforced(const Mount& mount) override {
    return RuleFor(rules_, mount) == nullptr ? others_->CheckEnforced(mount)
                                             : Get(mount, 0).status();
  }
  absl::Status CheckService(absl::string_view server) override {
    return others_->CheckService(server);
  }

 private:
  const std::vector<QuotaRule> rules_;
  const std::unique_ptr<Quotas> others_;
};

}  // namespace

std::unique_ptr<Quotas> MakeConfiguredQuotas(std::vector<QuotaRule> rules,
                                             std::unique_ptr<Quotas> others) {
  return std::make_unique<ConfiguredQuotas>(std::move(rules), std::move(others));
}

}  // namespace hostq::agent
