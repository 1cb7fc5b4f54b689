#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "manager/access/rate_limiter.h"
#include "manager/api/admission.h"
#include "manager/http/rest.h"
#include "manager/http/web_request.h"
#include "manager/http/web_sessions.h"

namespace hostq::manager {

// What every request to the HTTPS port passes first: who shows what, whether a page of another site
// has a hand in it, and whose part it is: REST, the dashboard's session, a page, a file.
// Thread-safe; does not block.
class WebFront {
 public:
  // Something at one path that is neither REST nor a file, for GET and HEAD: "/metrics".
  struct Page {
    std::string path;
    // Who asks is in the request, and was not looked at. Must not block.
    std::function<void(const WebRequest& request)> answer;
  };
  struct Parts {
    Rest& rest;
    CallAdmission& admission;
    Clock& clock;
    // OK: the manager accepts commands.
    std::function<absl::Status()> ready;
    // Somebody has signed in or out: for the audit.
    std::function<void(const Caller& caller)> signed_in_or_out;
    // Of one source; also of those who have not shown who they are.
    RateLimiter::Options requests;
    std::vector<Page> pages;
  };
  explicit WebFront(Parts parts)
      : parts_(std::move(parts)), sessions_(parts_.clock), limiter_(parts_.requests) {}

  void Handle(std::shared_ptr<HttpExchange> exchange);

 private:
  // Fills in who shows what. Errors: UNAUTHENTICATED (SESSION_EXPIRED), PERMISSION_DENIED
  // (CROSS_SITE_REQUEST).
  absl::Status TakeCredentials(WebRequest& request);
  absl::Status TakeSession(absl::string_view token, WebRequest& request);
  void Dispatch(WebRequest& request);
  void HandleSession(WebRequest& request);
  void SignIn(const WebRequest& request);
  void SignOut(const WebRequest& request, const WebSessions::SessionPtr& session);
  // Null: none.
  WebSessions::SessionPtr SessionOf(const WebRequest& request);

  const Parts parts_;
  WebSessions sessions_;
  RateLimiter limiter_;
};

}  // namespace hostq::manager
