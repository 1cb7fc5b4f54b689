#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/webhook/address_rules.h"
#include "manager/webhook/url.h"

namespace hostq::manager {

// POSTs a body and hears what is answered. One thread does all exchanges, so that a receiver that
// is slow holds up no other; names are looked up on four more, because the system's resolver
// blocks. No redirect is followed, no proxy used, no connection kept.
class HttpClient {
 public:
  struct Options {
    // For a whole exchange, from the lookup to the answer.
    absl::Duration timeout = absl::Seconds(15);
    // PEM file with the authorities of receivers; empty: the system's.
    std::string ca_cert;
  };
  struct Request {
    Url url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
  };
  struct Answer {
    int status = 0;
    // The first 4 KiB of it.
    std::string body;
    bool ok() const { return status >= 200 && status < 300; }
  };
  // An answer, whatever it says; or why there was none: PERMISSION_DENIED
  // (WEBHOOK_ADDRESS_REFUSED), UNAVAILABLE, DEADLINE_EXCEEDED.
  using Done = std::function<void(absl::StatusOr<Answer>)>;

  // Blocks on the disk for the authorities. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): they
  // cannot be read.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Start(AddressRules rules,
                                                           const Options& options);
  // As Stop().
  ~HttpClient();

  // Any thread; does not block. `done` runs once on the client's thread, or not at all if the
  // client stops before.
  void Post(Request request, Done done);
  // Runs `job` on the client's thread, after `delay`. Any thread; not at all if the client stops
  // before.
  void After(absl::Duration delay, std::function<void()> job);

  // Breaks off what is under way. May wait for the resolver, which has its own timeouts
  // (resolv.conf). May be called twice.
  void Stop();

 private:
  struct Core;
  class Exchange;
  explicit HttpClient(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace hostq::manager
