#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "manager/cli/audit_check.h"
#include "manager/cli/groups.h"
#include "manager/cli/json.h"
#include "manager/cli/options.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct EntryListOptions {
  v1::ListAuditEntriesRequest request;
  bool since = false;
  int limit = 100;
};

// "3 times", "by alice from 192.0.2.7", ...
std::string RenderEntry(const v1::AuditEntry& entry, absl::TimeZone zone) {
  const bool refused = entry.outcome() != v1::Reason::CODE_UNSPECIFIED;
  std::vector<std::string> words = {
      PadLeft(absl::StrCat(entry.sequence()), 6),
      "",
      TimeText(entry.time(), zone),
      "",
      absl::StrCat(Clean(entry.actor()),
                   entry.source().empty() ? "" : absl::StrCat(" (", Clean(entry.source()), ")")),
      "",
      Clean(entry.act())};
  if (!entry.target().empty()) words.push_back(Clean(entry.target()));
  words.push_back("");
  words.push_back(refused ? absl::StrCat(ReasonText(entry.outcome()), ": ", Clean(entry.message()))
                          : "done");
  if (entry.count() > 1) words.push_back(absl::StrCat("(", entry.count(), " times)"));
  std::string out = absl::StrCat(absl::StrJoin(words, " "), "\n");
  if (!entry.before().empty())
    absl::StrAppend(&out, "        before ", Clean(entry.before()), "\n");
  if (!entry.after().empty()) absl::StrAppend(&out, "        after  ", Clean(entry.after()), "\n");
  return out;
}

absl::StatusOr<int> ListEntries(Tool& tool, const EntryListOptions& options) {
  v1::ListAuditEntriesRequest request = options.request;
  // Without --since the newest ones, but in their order.
  request.set_newest_first(!options.since);
  v1::ListAuditEntriesResponse list;
  do {
    request.set_page_size(std::min(1'000, options.limit - list.entries_size()));
    HOSTQ_ASSIGN_OR_RETURN(v1::ListAuditEntriesResponse page,
                           tool.client().ListAuditEntries(request));
    for (v1::AuditEntry& entry : *page.mutable_entries()) *list.add_entries() = std::move(entry);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && list.entries_size() < options.limit);
  if (!options.since) {
    std::reverse(list.mutable_entries()->pointer_begin(), list.mutable_entries()->pointer_end());
  }
  if (tool.document()) {
    tool.PrintDocument(list);
    return kDone;
  }
  for (const v1::AuditEntry& entry : list.entries()) tool.Print(RenderEntry(entry, tool.zone));
  if (list.entries().empty()) tool.Print("No entry matches.\n");
  return kDone;
}

// A sequence number, a time, or how long ago.
void SetSince(const std::string& text, absl::Time now, v1::ListAuditEntriesRequest& request) {
  int64_t sequence = 0;
  if (absl::SimpleAtoi(text, &sequence) && sequence >= 0) {
    return request.set_since_sequence(sequence);
  }
  const std::optional<absl::Time> time = ParsePast(text, now);
  if (!time) Reject("--since", text, "a sequence number, a time, or how long ago: 4711, 2h");
  *request.mutable_start_time() = FromTime(*time);
}

struct ExportOptions {
  int64_t since = 0;
};

// The place after which an export begins: one that can be compared with what was exported before.
absl::StatusOr<v1::AuditPoint> BeginningAt(Tool& tool, int64_t since, const v1::AuditHead& chain) {
  if (since <= chain.beginning().sequence()) return chain.beginning();
  if (since == chain.head().sequence()) return chain.head();
  v1::ListAuditEntriesRequest request;
  request.set_since_sequence(since - 1);
  request.set_page_size(1);
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListAuditEntriesResponse page,
                         tool.client().ListAuditEntries(request));
  v1::AuditPoint point;
  if (page.entries_size() == 1 && page.entries(0).sequence() == since) {
    point.set_sequence(since);
    point.set_hash(page.entries(0).hash());
    return point;
  }
  return UsageError(absl::StrCat("--since: there is no entry ", since, "; the newest is ",
                                 chain.head().sequence()));
}

// Prints entries after `beginning`. The oldest may be deleted because of their age meanwhile: that
// is no gap in what was exported, unless something before it has been printed already.
class Exporter {
 public:
  Exporter(Tool& tool, v1::AuditPoint beginning)
      : tool_(tool), beginning_(std::move(beginning)), last_(beginning_.sequence()) {}
  absl::Status Take(const v1::AuditEntry& entry) {
    if (entry.sequence() > last_ + 1) HOSTQ_RETURN_IF_ERROR(Skip());
    if (entry.sequence() <= beginning_.sequence()) return absl::OkStatus();
    last_ = entry.sequence();
    tool_.Print(ToJson(entry, /*one_line=*/true));
    return absl::OkStatus();
  }
  const v1::AuditPoint& beginning() const { return beginning_; }

 private:
  absl::Status Skip() {
    HOSTQ_ASSIGN_OR_RETURN(const v1::AuditHead chain, tool_.client().GetAuditHead());
    if (chain.beginning().sequence() <= last_) return absl::OkStatus();  // they are missing
    if (last_ > beginning_.sequence()) {
      return absl::AbortedError(absl::StrCat(
          "entries up to ", chain.beginning().sequence(),
          " were deleted because of their age before they could be exported: what is here has a "
          "gap; export again, into a file"));
    }
    beginning_ = chain.beginning();
    last_ = beginning_.sequence();
    return absl::OkStatus();
  }

  Tool& tool_;
  v1::AuditPoint beginning_;
  int64_t last_;
};

absl::StatusOr<int> Export(Tool& tool, const ExportOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::AuditHead chain, tool.client().GetAuditHead());
  HOSTQ_ASSIGN_OR_RETURN(v1::AuditPoint beginning, BeginningAt(tool, options.since, chain));
  Exporter exporter(tool, std::move(beginning));
  HOSTQ_ASSIGN_OR_RETURN(
      v1::AuditHead exported,
      ReadManager(tool.client(), exporter.beginning().sequence(),
                  [&](const v1::AuditEntry& entry) { return exporter.Take(entry); }));
  *exported.mutable_beginning() = exporter.beginning();
  exported.set_count(exported.head().sequence() - exporter.beginning().sequence());
  tool.Print(ToJson(exported, /*one_line=*/true));
  return kDone;
}

struct VerifyOptions {
  std::string file;
  std::optional<manager::ChainPoint> expect;
};

// Reads everything into a verifier that begins with `beginning`; `read` returns the head.
using ReadAll = std::function<absl::StatusOr<v1::AuditHead>(int64_t since, const TakeEntry& take)>;
absl::StatusOr<Verification> Check(const v1::AuditPoint& beginning, const VerifyOptions& options,
                                   const ReadAll& read) {
  HOSTQ_ASSIGN_OR_RETURN(manager::ChainPoint point, FromProto(beginning));
  manager::ChainVerifier verifier(std::move(point));
  if (options.expect) verifier.Expect(*options.expect);
  Verification verification;
  HOSTQ_ASSIGN_OR_RETURN(verification.chain,
                         read(beginning.sequence(), [&](const v1::AuditEntry& entry) {
                           const absl::StatusOr<manager::AuditEntry> one = FromProto(entry);
                           if (one.ok()) verifier.Add(*one);
                           return one.status();
                         }));
  HOSTQ_ASSIGN_OR_RETURN(const manager::ChainPoint head, FromProto(verification.chain.head()));
  verifier.Finish(head);
  verification.entries = verifier.entries();
  verification.problems = verifier.problems();
  verification.more = verifier.more();
  return verification;
}

absl::StatusOr<Verification> CheckManager(Tool& tool, const VerifyOptions& options) {
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(const v1::AuditHead chain, tool.client().GetAuditHead());
    HOSTQ_ASSIGN_OR_RETURN(
        Verification verification,
        Check(chain.beginning(), options, [&](int64_t since, const TakeEntry& take) {
          return ReadManager(tool.client(), since, take);
        }));
    // The oldest may have been deleted meanwhile.
    const bool moved = verification.chain.beginning().sequence() != chain.beginning().sequence();
    if (verification.problems.empty() || !moved) {
      *verification.chain.mutable_beginning() = chain.beginning();
      return verification;
    }
  }
}

absl::StatusOr<Verification> CheckFile(const VerifyOptions& options) {
  std::ifstream file(options.file);
  if (!file) {
    return UsageError(
        absl::StrCat("--file: ", Clean(options.file), " cannot be read: ", std::strerror(errno)));
  }
  HOSTQ_ASSIGN_OR_RETURN(const v1::AuditHead chain, ReadHead(file));
  file.clear();
  file.seekg(0);
  return Check(chain.beginning(), options,
               [&](int64_t, const TakeEntry& take) -> absl::StatusOr<v1::AuditHead> {
                 HOSTQ_RETURN_IF_ERROR(ReadEntries(file, take));
                 return chain;
               });
}

absl::StatusOr<int> Verify(Tool& tool, const VerifyOptions& options) {
  const absl::StatusOr<Verification> verification =
      options.file.empty() ? CheckManager(tool, options) : CheckFile(options);
  if (!verification.ok()) {
    if (ReasonOf(verification.status()) != Reason::kAuditBroken) return verification.status();
    tool.Fail(verification.status());
    return kCommandFailed;
  }
  if (tool.document()) {
    tool.PrintDocument(RenderVerificationJson(*verification));
  } else {
    tool.Print(RenderVerification(*verification));
  }
  const size_t problems = verification->problems.size();
  if (problems == 0) return kDone;
  tool.Fail(MakeError(absl::StatusCode::kDataLoss, Reason::kAuditBroken,
                      problems == 1 ? verification->problems[0].message
                                    : absl::StrCat(problems + verification->more,
                                                   " places of the audit are not as they were "
                                                   "written")));
  return kCommandFailed;
}

struct NoOptions {};

absl::StatusOr<int> Head(Tool& tool, const NoOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::AuditHead chain, tool.client().GetAuditHead());
  if (tool.document()) {
    tool.PrintDocument(chain);
  } else {
    tool.Print(absl::StrCat(PointText(chain.head()), "\n"));
  }
  return kDone;
}

void AddEntryList(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<EntryListOptions>();
  CLI::App& list = AddLeaf(group, "list", "who did what, and who was refused, in order",
                           "hostq audit list --actor alice --since 2d\n"
                           "hostq audit list --refused\n"
                           "hostq audit list --target node/web1 --act PauseNode");
  v1::ListAuditEntriesRequest& request = options->request;
  AddText(list, "--actor", *request.mutable_actor(), "NAME", "only what this one did");
  AddText(list, "--act", *request.mutable_act(), "ACT",
          "only this act: the method's name (PauseNode), manager.start, node.enroll, ...");
  AddText(list, "--target", *request.mutable_target(), "KEY", "only what was done to this one");
  list.add_flag_callback(
      "--refused", [options] { options->request.set_refused_only(true); }, "only refusals");
  list.add_option_function<std::string>(
          "--since",
          [options, &tool](const std::string& text) {
            options->since = true;
            SetSince(text, tool.now(), options->request);
          },
          "all after this entry or time, the oldest first: 4711, 2h (ago), 2026-12-24T18:00:00Z")
      ->type_name("SEQ|TIME|DURATION");
  list.add_option("--limit", options->limit,
                  "at most so many; without --since the last ones "
                  "(default 100)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
  OnRun(list, tool, options, ListEntries);
}

void AddVerify(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App& verify =
      AddLeaf(group, "verify", "check that no entry was changed, removed or reordered",
              "hostq audit verify\n"
              "hostq audit verify --expect 4711:9f86d081884c7d659a2feaa0c55ad015"
              "a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
              "hostq audit verify --file audit.jsonl");
  AddText(verify, "--file", options->file, "FILE",
          "what was exported, instead of what the manager has; needs no manager");
  verify
      .add_option_function<std::string>(
          "--expect",
          [options](const std::string& text) {
            const absl::StatusOr<manager::ChainPoint> point = ParsePoint(text);
            if (!point.ok()) Reject("--expect", text, "SEQUENCE:HASH, as hostq audit head says");
            options->expect = *point;
          },
          "a head that was noted before: the entry with this number must have this hash")
      ->type_name("SEQ:HASH");
  OnRun(verify, tool, options, Verify);
}

}  // namespace

void AddAuditCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "audit", "who did what, and proof that nobody changed that");
  AddEntryList(group, tool);
  auto options = std::make_shared<ExportOptions>();
  CLI::App& exports = AddLeaf(group, "export", "all entries as JSON, one a line; the head last",
                              "hostq audit export > audit.jsonl\n"
                              "hostq audit export --since 4711 > more.jsonl");
  exports.add_option("--since", options->since, "only what comes after this entry")
      ->type_name("SEQ")
      ->check(CLI::NonNegativeNumber.description(""));
  OnRun(exports, tool, options, Export);
  AddVerify(group, tool);
  OnRun(AddLeaf(group, "head", "the newest entry's number and hash, to be kept elsewhere",
                "hostq audit head"),
        tool, std::make_shared<NoOptions>(), Head);
}

}  // namespace hostq::cli
