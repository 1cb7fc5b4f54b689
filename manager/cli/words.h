#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "hostq/v1/command.pb.h"
#include "hostq/v1/finding.pb.h"
#include "hostq/v1/node.pb.h"
#include "manager/cli/layout.h"

// How values of the API read for people. Whatever comes from the manager goes through Clean(): a
// message may hold what a node or another host wrote.
namespace hostq::cli {

// Control characters replaced: no text can change the terminal.
std::string Clean(absl::string_view text);

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
google::protobuf::Timestamp FromTime(absl::Time time);
// "3m02s"; empty if there is no time.
std::string AgeOf(const google::protobuf::Timestamp& since, absl::Time now);
// "2026-11-23 01:47:15"; empty if there is no time.
std::string TimeText(const google::protobuf::Timestamp& time, absl::TimeZone zone);

// "NODE_OFFLINE"; "REASON_999" for one that this version does not know; empty for none.
std::string ReasonText(v1::Reason::Code code);
// The fixed sentence that goes with it; empty for none or unknown.
absl::string_view Explanation(v1::Reason::Code code);
// The phase, or once it is finished the outcome: "RUNNING", "SUCCEEDED".
std::string StateText(const v1::Task& task);
Colour ColourOf(const v1::Task& task);
std::string StateText(const v1::Command& command);
Colour ColourOf(const v1::Command& command);
std::string StateText(const v1::Node& node);
Colour ColourOf(const v1::Node& node);
// "ok", "warn", "FAIL", "skip".
std::string StateText(v1::PreflightCheck::Status status);
Colour ColourOf(v1::PreflightCheck::Status status);
// "app, storage".
std::string RolesText(const v1::Node& node);
// "2 of 3 tasks finished".
std::string CountText(const v1::Command& command);
// "create_account on account/example.com".
std::string TitleOf(const v1::Command& command);
// "domain=example.com quota=10GiB".
std::string SpecText(const v1::CommandSpec& spec);

// Whether somebody has to find out why: parked, backing off, or its outcome unknown.
bool IsTroubled(const v1::Task& task);
inline bool IsFinished(const v1::Task& task) { return task.phase() == v1::Task::FINISHED; }

// "file server", "node web1", "nobody": for tables. `node` may be empty: several.
std::string OwnerShort(v1::Finding::Owner owner, absl::string_view node);
// The same as a sentence.
std::string OwnerText(v1::Finding::Owner owner, absl::string_view node);

// "90s", "1h30m", "2d": positive. Nothing if malformed.
std::optional<absl::Duration> ParseSpan(absl::string_view text);
// A span from now, or a time as in RFC 3339 ("2026-12-24T18:00:00Z").
std::optional<absl::Time> ParseWhen(absl::string_view text, absl::Time now);
// The same, and a span is so long ago.
std::optional<absl::Time> ParsePast(absl::string_view text, absl::Time now);

}  // namespace hostq::cli
