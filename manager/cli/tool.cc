#include "manager/cli/tool.h"

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/reason.h"
#include "manager/cli/json.h"
#include "manager/cli/words.h"
#include "manager/cli/yaml.h"
#include "manager/domain/audit.h"

namespace hostq::cli {
namespace {

constexpr char kUsagePayload[] = "hostq.cli/usage";

// A command that can be typed.
bool NamesCommand(absl::string_view text) {
  return absl::StrContains(text, "hostq ") || absl::StrContains(text, "systemctl ") ||
         absl::StrContains(text, "journalctl ") || absl::StrContains(text, "--help");
}

// Every error ends with something to type.
void AddNext(ErrorText& error, int exit_code, const std::string& path) {
  if (path.empty() || NamesCommand(error.remedy) || NamesCommand(error.message)) return;
  const std::string next = exit_code == kUnreachable || exit_code == kOtherError
                               ? "what is the matter: hostq doctor"
                               : absl::StrCat("how it is used: ", path, " --help");
  error.remedy = absl::StrCat(error.remedy, error.remedy.empty() ? "" : "; ", next);
}

bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; }

}  // namespace

Tool::Tool(Clock& the_clock, const Terminal& the_terminal)
    : clock(the_clock), terminal(the_terminal) {}

absl::Status Tool::OpenEndpoint() {
  EndpointFiles files = remote;
  files.socket = socket;
  HOSTQ_ASSIGN_OR_RETURN(endpoint_, cli::OpenEndpoint(files));
  return absl::OkStatus();
}

Client& Tool::client() {
  if (!client_) {
    if (!endpoint_.remote()) endpoint_.socket = socket;
    client_ = std::make_unique<Client>(endpoint_, CurrentActor());
  }
  return *client_;
}

void Tool::Print(absl::string_view text) {
  if (captured_ != nullptr) {
    absl::StrAppend(captured_, text);
  } else {
    std::cout.write(text.data(), static_cast<std::streamsize>(text.size()));
  }
}

void Tool::PrintDocument(const google::protobuf::Message& message) {
  Print(format == Format::kYaml ? ToYaml(message) : ToJson(message));
}

void Tool::PrintDocument(const std::string& json) {
  Print(format == Format::kYaml ? YamlOfJson(json) : json);
}

void Tool::PrintOneOfMany(const google::protobuf::Message& message) {
  if (format == Format::kYaml) {
    Print(absl::StrCat("---\n", ToYaml(message)));
  } else {
    Print(ToJson(message, /*one_line=*/true));
  }
}

absl::StatusOr<std::string> Tool::Capture() {
  std::string text;
  captured_ = &text;
  const absl::StatusOr<int> result = action();
  captured_ = nullptr;
  if (!result.ok()) return result.status();
  return text;
}

void Tool::Note(absl::string_view text) {
  if (document() || captured_ != nullptr) return;
  std::cout.flush();
  std::cerr << std::string(text) << "\n";
}

int Tool::Fail(const absl::Status& status) {
  std::cout.flush();
  const bool unheard =
      endpoint_.remote() && ReasonOf(status) == Reason::kNone && ExitCodeOf(status) == kUnreachable;
  ErrorText error = Describe(unheard ? WhyRemoteFailed(endpoint_, status) : status, socket, names);
  if (unheard) error.reason.clear();
  const int code = IsUsageError(status) ? kUsage : ExitCodeOf(status);
  if (!document()) AddNext(error, code, path);
  std::cerr << (document() ? RenderErrorJson(error)
                           : RenderErrorText(error, terminal.ProseWidth(), terminal.colour));
  return code;
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
  std::string out = absl::StrCat("{\"error\":{\"code\":", manager::JsonText(error.code),
                                 ",\"reason\":", manager::JsonText(error.reason),
                                 ",\"message\":", manager::JsonText(error.message),
                                 ",\"remedy\":", manager::JsonText(error.remedy));
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
