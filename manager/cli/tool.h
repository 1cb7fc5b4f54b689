#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/reason.h"
#include "manager/cli/client.h"
#include "manager/cli/endpoint.h"
#include "manager/cli/exit_code.h"
#include "manager/cli/layout.h"

namespace hostq::cli {

// What standard output gets: tables (which fit the width, or with everything that there is), or one
// document.
enum class Format { kTable, kWide, kJson, kYaml };

// One run of the program: what every command needs. The tree of commands (tree.h) sets `action`;
// main() runs it.
class Tool {
 public:
  Tool(Clock& the_clock, const Terminal& the_terminal);
  Tool(const Tool&) = delete;
  Tool& operator=(const Tool&) = delete;

  // Before client() is used: reads the files. Errors: as cli::OpenEndpoint.
  absl::Status OpenEndpoint();
  // Made when first asked for, so that --help needs no manager.
  Client& client();

  absl::Time now() { return clock.Now(); }
  // A program reads it: one document, and nothing else on standard output.
  bool document() const { return format == Format::kJson || format == Format::kYaml; }
  // To standard output. Not if a document is wanted.
  void Print(absl::string_view text);
  // As a document, in the form that is wanted.
  void PrintDocument(const google::protobuf::Message& message);
  // One of many, as they come: a line of JSON, or with "---" in front of it.
  void PrintOneOfMany(const google::protobuf::Message& message);
  // JSON that is no message of the API.
  void PrintDocument(const std::string& json);
  // Runs the action; what it prints is returned instead. Errors: those of the action.
  absl::StatusOr<std::string> Capture();
  // A note for the person at the terminal, on standard error; nothing if a document is wanted.
  void Note(absl::string_view text);
  // On standard error, as text or, if a document is wanted, as one line of JSON. Returns the exit
  // code that goes with it.
  int Fail(const absl::Status& status);
  // Everything written. False: standard output cannot be written.
  bool Flush();
  // Asks on the terminal; false if the answer is not yes.
  bool Confirm(absl::string_view question);

  Clock& clock;
  Terminal terminal;
  absl::TimeZone zone = absl::LocalTimeZone();
  std::string socket = "/run/hostq/manager.sock";
  // The API of a manager elsewhere instead, and the files that say who asks.
  EndpointFiles remote;
  Format format = Format::kTable;
  // Show it again and again (live.h).
  bool watch = false;
  // "hostq node show": for errors, which say what to type next.
  std::string path = "hostq";

  // What the chosen command does; returns the exit code, or why it could not be done.
  std::function<absl::StatusOr<int>()> action;
  // What stands for the placeholders in the remedies of refused requests: {"DOMAIN", "a.example"}.
  std::map<std::string, std::string> names;

 private:
  Endpoint endpoint_;
  std::string* captured_ = nullptr;  // where Print() puts it, instead of standard output
  std::unique_ptr<Client> client_;
};

// The words of `remedy` that are keys of `names`, replaced.
std::string FillIn(absl::string_view remedy, const std::map<std::string, std::string>& names);

// What Fail() prints.
struct ErrorText {
  std::string code;            // of gRPC: "INVALID_ARGUMENT"
  std::string reason;          // "INVALID_DOMAIN", or empty
  std::string message;         // without the reason
  std::string remedy;          // or empty
  absl::Duration retry_delay;  // zero: none was named
  bool hide_reason = false;    // it says nothing to a person
};
ErrorText Describe(const absl::Status& status, const std::string& socket,
                   const std::map<std::string, std::string>& names);
std::string RenderErrorText(const ErrorText& error, size_t width, bool colour);
std::string RenderErrorJson(const ErrorText& error);

// What the command line itself makes impossible: exit code 2. INVALID_ARGUMENT says nothing to a
// person and is shown in JSON only.
absl::Status UsageError(absl::string_view message, Reason reason = Reason::kInvalidArgument);
bool IsUsageError(const absl::Status& status);

}  // namespace hostq::cli
