#include "manager/api/account_service.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/api/page_token.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr absl::string_view kListAccounts = "ListAccounts";

}  // namespace

grpc::ServerUnaryReactor* AccountService::GetAccount(grpc::CallbackServerContext* context,
                                                     const v1::GetAccountRequest* request,
                                                     v1::Account* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const absl::StatusOr<std::string> domain = NormalDomain("domain", request->domain());
  if (!domain.ok()) return done(domain.status()), reactor;
  backend_.engine.Read([this, domain = *domain, response, done](const auto&, const Now&) {
    const storage::v1::Account* account = backend_.cluster.FindAccount(domain);
    if (account == nullptr) {
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
  if (!Admit(backend_, *context, done)) return reactor;
  const absl::StatusOr<int> size = PageSizeOf(request->page_size());
  if (!size.ok()) return done(size.status()), reactor;
  const absl::StatusOr<std::string> after = ParsePageToken(request->page_token(), kListAccounts);
  if (!after.ok()) return done(after.status()), reactor;
  backend_.engine.Read(
      [this, size = *size, after = *after, response, done](const auto&, const Now&) {
        size_t bytes = 0;
        // One more tells whether there is another page.
        for (const storage::v1::Account* account :
             backend_.cluster.AccountsAfter(after, static_cast<size_t>(size) + 1)) {
          if (response->accounts_size() == size || bytes > kMaxPageBytes) {
            response->set_next_page_token(
                MakePageToken(response->accounts().rbegin()->domain(), kListAccounts));
            break;
          }
          *response->add_accounts() = account->account();
          bytes += account->account().ByteSizeLong();
        }
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* AccountService::ListShares(grpc::CallbackServerContext* context,
                                                     const v1::ListSharesRequest*,
                                                     v1::ListSharesResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  backend_.engine.Read([this, response, done](const auto&, const Now&) {
    for (const auto& [name, share] : backend_.cluster.shares()) {
      *response->add_shares() = share.share();
    }
    done(absl::OkStatus());
  });
  return reactor;
}

}  // namespace hostq::manager
