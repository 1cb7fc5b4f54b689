#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq::manager {

// Hands mails to the machine's mail transfer agent. Thread-safe.
class Mailer {
 public:
  struct Options {
    std::vector<std::string> to;
    std::string from;
    // As sendmail: takes `-i -f FROM -- TO...` and the mail on its standard input.
    std::string sendmail = "/usr/sbin/sendmail";
    absl::Duration timeout = absl::Seconds(30);
  };
  explicit Mailer(Options options) : options_(std::move(options)) {}

  // Runs the program, without a shell and with nothing of the manager's but the mail; blocks until
  // it ends, at most `timeout`, and then kills it with all it has started. OK: it took the mail.
  // Errors, with MAIL_FAILING and the end of what it printed: UNAVAILABLE, DEADLINE_EXCEEDED.
  absl::Status Send(absl::string_view subject, absl::string_view body, absl::Time now) const;

  // The mail as it is handed over: header and body in UTF-8, of lines of at most 998 bytes.
  std::string Compose(absl::string_view subject, absl::string_view body, absl::Time now) const;

 private:
  const Options options_;
};

}  // namespace hostq::manager
