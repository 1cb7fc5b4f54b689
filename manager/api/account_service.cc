#include "manager/api/account_service.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/access/scope.h"
#include "manager/api/page_token.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

// Longer than any domain.
constexpr size_t kMaxPattern = 300;

// Of few among many accounts, so many are looked at for one page: it may be short.
constexpr size_t kMaxLookedAt = 20'000;

bool MaySee(const Caller& caller, const storage::v1::Account& row) {
  return AllowsAccount(*caller.rights, Verb::kRead, row.account().domain(), row.key_id());
}

// What the caller asked for, with its address in the canonical form.
bool Matches(const v1::ListAccountsRequest& filter, const v1::Account& account) {
  const auto& addresses = account.addresses();
  return (filter.state() == v1::Account::STATE_UNSPECIFIED || filter.state() == account.state()) &&
         (filter.user().empty() || filter.user() == account.user()) &&
         (filter.domain().empty() || MatchesName(filter.domain(), account.domain())) &&
         (filter.address().empty() ||
          std::find(addresses.begin(), addresses.end(), filter.address()) != addresses.end());
}

absl::StatusOr<v1::ListAccountsRequest> NormalFilter(const v1::ListAccountsRequest& request) {
  v1::ListAccountsRequest filter = request;
  filter.clear_page_size();
  filter.clear_page_token();
  if (!v1::Account::State_IsValid(request.state())) {
    return InvalidField(Reason::kInvalidArgument, "state", "is none that this manager knows");
  }
  if (!request.address().empty()) {
    HOSTQ_ASSIGN_OR_RETURN(*filter.mutable_address(),
                           CanonicalAddress("address", request.address()));
  }
  if (request.domain().size() > kMaxPattern || request.user().size() > kMaxPattern) {
    return InvalidField(Reason::kInvalidArgument,
                        request.user().size() > kMaxPattern ? "user" : "domain",
                        absl::StrCat("is longer than ", kMaxPattern, " characters"));
  }
  absl::AsciiStrToLower(filter.mutable_domain());
  return filter;
}

void AddPage(const Cluster& cluster, const Caller& caller, int size,
             const v1::ListAccountsRequest& filter, const std::string& token,
             const std::string& after, v1::ListAccountsResponse& response) {
  size_t bytes = 0, looked_at = 0;
  std::string last;
  const auto& accounts = cluster.accounts();
  for (auto at = accounts.upper_bound(after); at != accounts.end(); ++at) {
    // There is one more.
    if (response.accounts_size() == size || bytes > kMaxPageBytes || looked_at == kMaxLookedAt) {
      response.set_next_page_token(MakePageToken(last, token));
      return;
    }
    ++looked_at;
    last = at->first;
    if (!Matches(filter, at->second.account()) || !MaySee(caller, at->second)) continue;
    *response.add_accounts() = at->second.account();
    bytes += at->second.account().ByteSizeLong();
  }
}

}  // namespace

grpc::ServerUnaryReactor* AccountService::GetAccount(grpc::CallbackServerContext* context,
                                                     const v1::GetAccountRequest* request,
                                                     v1::Account* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AccountService.GetAccount", done);
  if (!caller) return reactor;
  const absl::StatusOr<std::string> domain = NormalDomain("domain", request->domain());
  if (!domain.ok()) return done(domain.status()), reactor;
  backend_.engine.Read(
      [this, caller = *caller, domain = *domain, response, done](const auto&, const Now&) {
        const storage::v1::Account* account = backend_.cluster.FindAccount(domain);
        if (account == nullptr || !MaySee(caller, *account)) {
          return done(MakeError(absl::StatusCode::kNotFound, Reason::kUnknownAccount,
                                absl::StrCat("domain: there is no account ", domain)));
        }
        *response = account->account();
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* AccountService::ListAccounts(grpc::CallbackServerContext* context,
                                                       const v1::ListAccountsRequest* request,
                                                       v1::ListAccountsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AccountService.ListAccounts", done);
  if (!caller) return reactor;
  const absl::StatusOr<int> size = PageSizeOf(request->page_size());
  if (!size.ok()) return done(size.status()), reactor;
  const absl::StatusOr<v1::ListAccountsRequest> filter = NormalFilter(*request);
  if (!filter.ok()) return done(filter.status()), reactor;
  const std::string token = absl::StrCat("ListAccounts/", filter->SerializeAsString());
  const absl::StatusOr<std::string> after = ParsePageToken(request->page_token(), token);
  if (!after.ok()) return done(after.status()), reactor;
  backend_.engine.Read([this, caller = *caller, size = *size, filter = *filter, token,
                        after = *after, response, done](const auto&, const Now&) {
    AddPage(backend_.cluster, caller, size, filter, token, after, *response);
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* AccountService::ListShares(grpc::CallbackServerContext* context,
                                                     const v1::ListSharesRequest*,
                                                     v1::ListSharesResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AccountService.ListShares", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, response, done](const auto&, const Now&) {
    for (const auto& [name, share] : backend_.cluster.shares()) {
      *response->add_shares() = share.share();
    }
    done(absl::OkStatus());
  });
  return reactor;
}

}  // namespace hostq::manager
