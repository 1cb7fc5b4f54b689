#include "manager/cli/words.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/reason.h"
#include "common/base/text.h"

namespace hostq::cli {
namespace {

// Longer than any text the manager keeps.
constexpr size_t kMaxText = 4000;

std::string NameOr(const std::string& name, absl::string_view prefix, int number) {
  return name.empty() ? absl::StrCat(prefix, number) : name;
}

}  // namespace

std::string Clean(absl::string_view text) { return Printable(text, kMaxText); }

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

google::protobuf::Timestamp FromTime(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(micros / 1'000'000);
  timestamp.set_nanos(static_cast<int32_t>(micros % 1'000'000 * 1000));
  return timestamp;
}

std::string AgeOf(const google::protobuf::Timestamp& since, absl::Time now) {
  if (since.seconds() == 0) return "";
  return FormatAge(now - ToTime(since));
}

std::string TimeText(const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  if (time.seconds() == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", ToTime(time), zone);
}

std::string ReasonText(v1::Reason::Code code) {
  if (code == v1::Reason::CODE_UNSPECIFIED) return "";
  return NameOr(v1::Reason::Code_Name(code), "REASON_", code);
}

absl::string_view Explanation(v1::Reason::Code code) {
  const auto reason = static_cast<Reason>(code);
  const ReasonInfo& info = InfoOf(reason);
  return reason == Reason::kNone || info.reason != reason ? "" : info.explanation;
}

std::string StateText(const v1::Task& task) {
  if (!IsFinished(task)) return NameOr(v1::Task::Phase_Name(task.phase()), "PHASE_", task.phase());
  return NameOr(v1::Task::Outcome_Name(task.outcome()), "OUTCOME_", task.outcome());
}

Colour ColourOf(const v1::Task& task) {
  switch (task.phase()) {
    case v1::Task::FINISHED:
      if (task.outcome() == v1::Task::SUCCEEDED) return Colour::kGreen;
      return task.outcome() == v1::Task::SUPERSEDED ? Colour::kDim : Colour::kRed;
    case v1::Task::PARKED:
      return Colour::kRed;
    case v1::Task::BACKING_OFF:
    case v1::Task::UNKNOWN:
      return Colour::kYellow;
    default:
      return Colour::kNone;
  }
}

std::string StateText(const v1::Command& command) {
  return NameOr(v1::Command::State_Name(command.state()), "STATE_", command.state());
}

Colour ColourOf(const v1::Command& command) {
  switch (command.state()) {
    case v1::Command::SUCCEEDED:
      return Colour::kGreen;
    case v1::Command::FAILED:
    case v1::Command::CANCELLED:
      return Colour::kRed;
    case v1::Command::SUPERSEDED:
      return Colour::kDim;
    default:
      return std::any_of(command.tasks().begin(), command.tasks().end(), IsTroubled)
                 ? Colour::kYellow
                 : Colour::kNone;
  }
}

std::string StateText(const v1::Node& node) {
  return NameOr(v1::Node::State_Name(node.state()), "STATE_", node.state());
}

Colour ColourOf(const v1::Node& node) {
  switch (node.state()) {
    case v1::Node::READY:
      return Colour::kGreen;
    case v1::Node::OFFLINE:
      return Colour::kRed;
    default:
      return Colour::kYellow;
  }
}

std::string StateText(v1::PreflightCheck::Status status) {
  switch (status) {
    case v1::PreflightCheck::OK:
      return "ok";
    case v1::PreflightCheck::WARNING:
      return "warn";
    case v1::PreflightCheck::FAILED:
      return "FAIL";
    case v1::PreflightCheck::SKIPPED:
      return "skip";
    default:
      return "?";
  }
}

Colour ColourOf(v1::PreflightCheck::Status status) {
  switch (status) {
    case v1::PreflightCheck::OK:
      return Colour::kGreen;
    case v1::PreflightCheck::WARNING:
      return Colour::kYellow;
    case v1::PreflightCheck::FAILED:
      return Colour::kRed;
    case v1::PreflightCheck::SKIPPED:
      return Colour::kDim;
    default:
      return Colour::kNone;
  }
}

std::string RolesText(const v1::Node& node) {
  return absl::StrJoin(node.roles(), ",", [](std::string* out, int role) {
    absl::StrAppend(
        out, absl::AsciiStrToLower(
                 NameOr(v1::Node::Role_Name(static_cast<v1::Node::Role>(role)), "ROLE_", role)));
  });
}

std::string CountText(const v1::Command& command) {
  const auto finished = std::count_if(command.tasks().begin(), command.tasks().end(),
                                      [](const v1::Task& task) { return IsFinished(task); });
  return absl::StrCat(finished, " of ", command.tasks_size(), " tasks finished");
}

std::string TitleOf(const v1::Command& command) {
  return absl::StrCat(Clean(command.kind()), " on ", Clean(command.resource_key()));
}

std::string SpecText(const v1::CommandSpec& spec) {
  const google::protobuf::Reflection* outer = spec.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> kinds;
  outer->ListFields(spec, &kinds);
  if (kinds.empty()) return "";
  const google::protobuf::Message& message = outer->GetMessage(spec, kinds[0]);
  const google::protobuf::Reflection* inner = message.GetReflection();
  std::string out;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = message.GetDescriptor()->field(i);
    std::string name = field->name();
    std::string value;
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
      value = Clean(inner->GetString(message, field));
    } else if (name == "quota_bytes") {
      name = "quota";
      value = FormatSize(inner->GetInt64(message, field));
    } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_UINT32 &&
               inner->GetUInt32(message, field) != 0) {
      value = absl::StrCat(inner->GetUInt32(message, field));
    }
    if (value.empty()) continue;
    const absl::string_view quote = absl::StrContains(value, ' ') ? "\"" : "";
    absl::StrAppend(&out, out.empty() ? "" : " ", name, "=", quote, value, quote);
  }
  return out;
}

bool IsTroubled(const v1::Task& task) {
  return task.phase() == v1::Task::PARKED || task.phase() == v1::Task::BACKING_OFF ||
         task.phase() == v1::Task::UNKNOWN;
}

std::string OwnerShort(v1::Finding::Owner owner, absl::string_view node) {
  switch (owner) {
    case v1::Finding::NOBODY:
      return "nobody";
    case v1::Finding::ADMINISTRATOR:
      return "administrator";
    case v1::Finding::NODE:
      return node.empty() ? "the nodes" : absl::StrCat("node ", node);
    case v1::Finding::FILE_SERVER:
      return "file server";
    case v1::Finding::NETWORK:
      return "network";
    case v1::Finding::AGENT:
      return node.empty() ? "the agents" : absl::StrCat("agent on ", node);
    case v1::Finding::MANAGER:
      return "manager";
    case v1::Finding::REQUESTER:
      return "requester";
    default:
      return "";
  }
}

std::string OwnerText(v1::Finding::Owner owner, absl::string_view node) {
  switch (owner) {
    case v1::Finding::NOBODY:
      return "nobody: it goes on by itself";
    case v1::Finding::ADMINISTRATOR:
      return "an administrator of the cluster: a decision is needed";
    case v1::Finding::NODE:
      return absl::StrCat("whoever looks after the node ", node);
    case v1::Finding::FILE_SERVER:
      return "whoever looks after the file server";
    case v1::Finding::NETWORK:
      return "whoever looks after the network, or another host on it";
    case v1::Finding::AGENT:
      return absl::StrCat("whoever looks after hostq-agent on ", node);
    case v1::Finding::MANAGER:
      return "whoever looks after hostq-manager: a bug, or its disk";
    case v1::Finding::REQUESTER:
      return "whoever submitted the command: its parameters cannot work";
    default:
      return "";
  }
}

std::optional<absl::Duration> ParseSpan(absl::string_view text) {
  absl::Duration span;
  int days = 0;
  if (absl::EndsWith(text, "d") && absl::SimpleAtoi(text.substr(0, text.size() - 1), &days)) {
    span = absl::Hours(24) * days;
  } else if (!absl::ParseDuration(text, &span)) {
    return std::nullopt;
  }
  // Beyond a century it is a mistake, and times would overflow.
  if (span <= absl::ZeroDuration() || span > absl::Hours(24 * 36500)) return std::nullopt;
  return span;
}

std::optional<absl::Time> ParseWhen(absl::string_view text, absl::Time now) {
  if (const auto span = ParseSpan(text)) return now + *span;
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return std::nullopt;
  // The last second that a Timestamp can be.
  const absl::Time last = absl::FromUnixSeconds(253'402'300'799);
  if (time <= absl::UnixEpoch() || time > last) return std::nullopt;
  return time;
}

std::optional<absl::Time> ParsePast(absl::string_view text, absl::Time now) {
  const auto span = ParseSpan(text);
  return span ? std::max(now - *span, absl::UnixEpoch()) : ParseWhen(text, now);
}

}  // namespace hostq::cli
