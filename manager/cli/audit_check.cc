#include "manager/cli/audit_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "google/protobuf/util/json_util.h"
#include "manager/cli/json.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr size_t kHashSize = 32;
constexpr int kPageSize = 1'000;

absl::Status Broken(absl::string_view message) {
  return MakeError(absl::StatusCode::kDataLoss, Reason::kAuditBroken, message);
}

absl::StatusOr<std::string> HashOf(const std::string& hex) {
  const bool fits = hex.size() == 2 * kHashSize && std::all_of(hex.begin(), hex.end(), [](char c) {
                      return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                    });
  if (fits) return absl::HexStringToBytes(hex);
  return Broken(absl::StrCat("\"", Clean(hex).substr(0, 80),
                             "\" is no hash: wanted are 64 hexadecimal digits"));
}

template <typename Message>
bool Parse(const std::string& line, Message& message) {
  message.Clear();
  return google::protobuf::util::JsonStringToMessage(line, &message).ok();
}

}  // namespace

absl::StatusOr<manager::AuditEntry> FromProto(const v1::AuditEntry& entry) {
  manager::AuditEntry out;
  out.sequence = entry.sequence();
  out.time = ToTime(entry.time());
  out.actor = entry.actor();
  out.source = entry.source();
  out.act = entry.act();
  out.target = entry.target();
  out.request_id = entry.request_id();
  out.outcome = static_cast<Reason>(entry.outcome());
  out.message = entry.message();
  out.before = entry.before();
  out.after = entry.after();
  out.count = entry.count();
  // One that is no hash is none that fits.
  out.hash = HashOf(entry.hash()).value_or("");
  return out;
}

absl::StatusOr<manager::ChainPoint> FromProto(const v1::AuditPoint& point) {
  HOSTQ_ASSIGN_OR_RETURN(std::string hash, HashOf(point.hash()));
  return manager::ChainPoint{point.sequence(), std::move(hash)};
}

std::string PointText(const v1::AuditPoint& point) {
  return absl::StrCat(point.sequence(), ":", Clean(point.hash()));
}

absl::StatusOr<manager::ChainPoint> ParsePoint(absl::string_view text) {
  const size_t colon = text.find(':');
  manager::ChainPoint point;
  if (colon == absl::string_view::npos ||
      !absl::SimpleAtoi(text.substr(0, colon), &point.sequence) || point.sequence < 0) {
    return absl::InvalidArgumentError("not SEQUENCE:HASH");
  }
  HOSTQ_ASSIGN_OR_RETURN(point.hash, HashOf(std::string(text.substr(colon + 1))));
  return point;
}

absl::StatusOr<v1::AuditHead> ReadManager(Client& client, int64_t since, const TakeEntry& take) {
  v1::AuditHead head;  // as it was before the entries up to it were listed
  for (;;) {
    const int64_t before = since;
    v1::ListAuditEntriesRequest request;
    request.set_since_sequence(since);
    request.set_page_size(kPageSize);
    do {
      HOSTQ_ASSIGN_OR_RETURN(const v1::ListAuditEntriesResponse page,
                             client.ListAuditEntries(request));
      for (const v1::AuditEntry& entry : page.entries()) {
        HOSTQ_RETURN_IF_ERROR(take(entry));
        since = std::max(since, entry.sequence());
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    // It has been there, and nothing up to it: it is missing.
    if (head.head().sequence() > since && since == before) return head;
    HOSTQ_ASSIGN_OR_RETURN(head, client.GetAuditHead());
    if (head.head().sequence() <= since) return head;
    // What came in between is read too.
  }
}

absl::StatusOr<v1::AuditHead> ReadHead(std::istream& file) {
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!absl::StripAsciiWhitespace(line).empty()) last = std::move(line);
  }
  v1::AuditHead head;
  if (Parse(last, head) && head.has_head() && head.has_beginning()) return head;
  return Broken(
      "the last line is not the head of the audit: the file is no export, or was cut off");
}

absl::Status ReadEntries(std::istream& file, const TakeEntry& take) {
  int64_t number = 0;
  bool ended = false;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    if (ended) return Broken(absl::StrCat("line ", number, " stands after the head"));
    v1::AuditEntry entry;
    if (Parse(line, entry)) {
      HOSTQ_RETURN_IF_ERROR(take(entry));
      continue;
    }
    v1::AuditHead head;
    ended = Parse(line, head);
    if (!ended) return Broken(absl::StrCat("line ", number, " is no entry of an audit"));
  }
  return absl::OkStatus();
}

std::string RenderVerification(const Verification& verification) {
  const v1::AuditHead& chain = verification.chain;
  if (verification.problems.empty()) {
    const std::string what =
        verification.entries == 0
            ? "The audit has no entries"
            : absl::StrCat("The audit is as it was written: entries ",
                           chain.beginning().sequence() + 1, " to ", chain.head().sequence());
    return absl::StrCat(what, ".\nhead: ", PointText(chain.head()),
                        "\nKeep it where the manager cannot write. Later, hostq audit verify "
                        "--expect with it shows whether anything up to there was changed.\n");
  }
  std::string out;
  for (const manager::ChainProblem& problem : verification.problems) {
    absl::StrAppend(&out, manager::NameOf(problem.kind), "  ", Clean(problem.message), "\n");
  }
  if (verification.more > 0) absl::StrAppend(&out, "and ", verification.more, " more\n");
  return absl::StrCat(out, "head: ", PointText(chain.head()), "\n");
}

std::string RenderVerificationJson(const Verification& verification) {
  std::string problems;
  for (const manager::ChainProblem& problem : verification.problems) {
    absl::StrAppend(&problems, problems.empty() ? "" : ",", "{\"kind\":\"",
                    manager::NameOf(problem.kind), "\",\"first\":\"", problem.first,
                    "\",\"last\":\"", problem.last,
                    "\",\"message\":", manager::JsonText(problem.message), "}");
  }
  std::string chain = ToJson(verification.chain, /*one_line=*/true);
  chain.pop_back();
  return absl::StrCat("{\"intact\":", verification.problems.empty() ? "true" : "false",
                      ",\"entries\":\"", verification.entries, "\",\"chain\":", chain,
                      ",\"problems\":[", problems, "],\"moreProblems\":\"", verification.more,
                      "\"}\n");
}

}  // namespace hostq::cli
