#include "manager/cli/tool.h"

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/reason.h"
#include "manager/cli/json.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr char kUsagePayload[] = "hostq.cli/usage";

bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; }

}  // namespace

Tool::Tool(Clock& the_clock, const Terminal& the_terminal)
    : clock(the_clock), terminal(the_terminal) {}

Client& Tool::client() {
  if (!client_) client_ = std::make_unique<Client>(socket, CurrentActor());
  return *client_;
}

void Tool::Print(absl::string_view text) {
  std::cout.write(text.data(), static_cast<std::streamsize>(text.size()));
}

void Tool::PrintJson(const google::protobuf::Message& message) { Print(ToJson(message)); }

void Tool::Note(absl::string_view text) {
  if (json) return;
  std::cout.flush();
  std::cerr << std::string(text) << "\n";
}

int Tool::Fail(const absl::Status& status) {
  std::cout.flush();
  const ErrorText error = Describe(status, socket, names);
  std::cerr << (json ? RenderErrorJson(error)
                     : RenderErrorText(error, terminal.ProseWidth(), terminal.colour));
  return IsUsageError(status) ? kUsage : ExitCodeOf(status);
}

bool Tool::Flush() {
  std::cout.flush();
  return std::cout.good();
}

bool Tool::Confirm(absl::string_view question) {
  std::cout.flush();
  std::cerr << std::string(question) << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  answer = absl::AsciiStrToLower(absl::StripAsciiWhitespace(answer));
  return answer == "y" || answer == "yes";
}

std::string FillIn(absl::string_view remedy, const std::map<std::string, std::string>& names) {
  std::string out;
  for (size_t i = 0; i < remedy.size();) {
    size_t end = i;
    while (end < remedy.size() && IsNameCharacter(remedy[end])) ++end;
    const std::string word(remedy.substr(i, end - i));
    const auto found = names.find(word);
    out += found == names.end() ? word : found->second;
    if (end < remedy.size()) out += remedy[end++];
    i = end;
  }
  return out;
}

ErrorText Describe(const absl::Status& status, const std::string& socket,
                   const std::map<std::string, std::string>& names) {
  ErrorText error;
  error.code = absl::StatusCodeToString(status.code());
  error.message = Clean(status.message());
  error.retry_delay = RetryDelayOf(status);
  const Reason reason = ReasonOf(status);
  if (IsUsageError(status) && reason == Reason::kInvalidArgument) {
    error.hide_reason = true;
    error.reason = std::string(NameOf(reason));
    error.remedy = Clean(RemedyOf(status));
  } else if (reason != Reason::kNone) {
    const ReasonInfo& info = InfoOf(reason);
    error.reason = std::string(info.name);
    const std::string own = Clean(RemedyOf(status));
    error.remedy = own.empty() ? FillIn(info.remedy, names) : own;
    // The manager may say the reason in the message, for clients that read only that.
    error.message = std::string(absl::StripPrefix(error.message, error.reason + ": "));
  } else if (ExitCodeOf(status) == kUnreachable) {
    Unreachable why = WhyUnreachable(socket, status);
    error.message = std::move(why.message);
    error.remedy = std::move(why.remedy);
  } else if (status.code() == absl::StatusCode::kUnimplemented) {
    error.remedy = "the manager is of another version than this hostq: see hostq --version";
  }
  return error;
}

std::string RenderErrorText(const ErrorText& error, size_t width, bool colour) {
  std::string out;
  const std::string head = error.reason.empty() || error.hide_reason ? "" : error.reason + ": ";
  std::string first = absl::StrCat("hostq: ", head, error.message);
  for (const std::string& line : Wrap(first, width)) {
    absl::StrAppend(&out, Paint(line, Colour::kRed, colour), "\n");
  }
  for (const std::string& clause : Clauses(error.remedy)) {
    for (const std::string& line : Wrap(clause, width - 2)) absl::StrAppend(&out, "  ", line, "\n");
  }
  if (error.retry_delay > absl::ZeroDuration()) {
    absl::StrAppend(&out, "  not before: ", absl::FormatDuration(error.retry_delay), " from now\n");
  }
  return out;
}

std::string RenderErrorJson(const ErrorText& error) {
  std::string out = absl::StrCat(
      "{\"error\":{\"code\":", JsonString(error.code), ",\"reason\":", JsonString(error.reason),
      ",\"message\":", JsonString(error.message), ",\"remedy\":", JsonString(error.remedy));
  if (error.retry_delay > absl::ZeroDuration()) {
    absl::StrAppend(&out, ",\"retryDelay\":\"", absl::ToDoubleSeconds(error.retry_delay), "s\"");
  }
  return absl::StrCat(out, "}}\n");
}

absl::Status UsageError(absl::string_view message, Reason reason) {
  absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, reason, message);
  status.SetPayload(kUsagePayload, absl::Cord(""));
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsagePayload).has_value();
}

}  // namespace hostq::cli
