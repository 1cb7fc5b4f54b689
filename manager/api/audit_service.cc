#include "manager/api/audit_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/api/convert.h"
#include "manager/api/page_token.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxFilter = 320;
// Entries looked at for one page: the store has one reader, and others wait for it.
constexpr int64_t kMaxScanned = 20'000;

// An entry that somebody has tampered with is shown, and its hash will not fit.
std::string Text(const std::string& text) { return IsUtf8(text) ? text : absl::CHexEscape(text); }

v1::AuditEntry EntryToProto(const AuditEntry& entry) {
  v1::AuditEntry out;
  out.set_sequence(entry.sequence);
  *out.mutable_time() = ToProto(entry.time);
  out.set_actor(Text(entry.actor));
  out.set_source(Text(entry.source));
  out.set_act(Text(entry.act));
  out.set_target(Text(entry.target));
  out.set_request_id(Text(entry.request_id));
  out.set_outcome(static_cast<v1::Reason::Code>(entry.outcome));
  out.set_message(Text(entry.message));
  out.set_before(Text(entry.before));
  out.set_after(Text(entry.after));
  out.set_count(entry.count);
  out.set_hash(absl::BytesToHexString(entry.hash));
  return out;
}

void PointToProto(const ChainPoint& point, v1::AuditPoint& out) {
  out.set_sequence(point.sequence);
  out.set_hash(absl::BytesToHexString(point.hash));
}

absl::Status CheckFilters(const v1::ListAuditEntriesRequest& request) {
  const std::pair<const char*, const std::string*> filters[] = {
      {"actor", &request.actor()}, {"act", &request.act()}, {"target", &request.target()}};
  for (const auto& [name, text] : filters) {
    if (text->size() > kMaxFilter) return InvalidField(Reason::kInvalidArgument, name, "too long");
  }
  if (request.since_sequence() >= 0) return absl::OkStatus();
  return InvalidField(Reason::kInvalidArgument, "since_sequence", "must not be negative");
}

// Everything that tells one list from another.
std::string FilterOf(const v1::ListAuditEntriesRequest& request) {
  v1::ListAuditEntriesRequest filter = request;
  filter.clear_page_size();
  filter.clear_page_token();
  return absl::StrCat("ListAuditEntries/", absl::Base64Escape(filter.SerializeAsString()));
}

absl::StatusOr<AuditQuery> QueryOf(const v1::ListAuditEntriesRequest& request,
                                   const std::string& filter) {
  HOSTQ_RETURN_IF_ERROR(CheckFilters(request));
  AuditQuery query;
  HOSTQ_ASSIGN_OR_RETURN(query.limit, PageSizeOf(request.page_size()));
  HOSTQ_ASSIGN_OR_RETURN(const std::string token, ParsePageToken(request.page_token(), filter));
  query.after = request.since_sequence();
  query.newest_first = request.newest_first();
  int64_t& bound = query.newest_first ? query.before : query.after;
  if (!token.empty() && !absl::SimpleAtoi(token, &bound)) {
    return InvalidField(Reason::kPageTokenInvalid, "page_token", "is not a token");
  }
  query.actor = request.actor();
  query.act = request.act();
  query.target = request.target();
  query.refused_only = request.refused_only();
  if (request.has_start_time()) query.start_time = TimeFromProto(request.start_time());
  return query;
}

}  // namespace

grpc::ServerUnaryReactor* AuditService::ListAuditEntries(grpc::CallbackServerContext* context,
                                                         const v1::ListAuditEntriesRequest* request,
                                                         v1::ListAuditEntriesResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AuditService.ListAuditEntries", done);
  if (!caller) return reactor;
  std::string filter = FilterOf(*request);
  const absl::StatusOr<AuditQuery> query = QueryOf(*request, filter);
  if (!query.ok()) return done(query.status()), reactor;
  OnWorker(backend_, done, [this, query = *query, filter = std::move(filter), response, done] {
    done(ReadPage(query, filter, *response));
  });
  return reactor;
}

absl::Status AuditService::ReadPage(const AuditQuery& query, const std::string& filter,
                                    v1::ListAuditEntriesResponse& response) {
  HOSTQ_ASSIGN_OR_RETURN(const AuditChain chain, backend_.store.GetAuditChain());
  // What stands behind the head is shown too: it is no good sign.
  AuditQuery part = query;
  int64_t next = 0;  // where the next page begins; 0: there is none
  if (query.newest_first) {
    const int64_t from = std::min(query.before, std::max(query.after, chain.head.sequence) + 1);
    part.after = std::max(query.after, from - 1 - kMaxScanned);
    if (part.after > std::max(query.after, chain.beginning.sequence)) next = part.after + 1;
  } else {
    const int64_t from = std::max(query.after, chain.beginning.sequence);
    if (chain.head.sequence - from > kMaxScanned) next = from + kMaxScanned;
    if (next != 0) part.before = next + 1;
  }
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<AuditEntry> entries, backend_.store.ListAudit(part));
  size_t bytes = 0;
  for (const AuditEntry& entry : entries) {
    *response.add_entries() = EntryToProto(entry);
    bytes += response.entries().rbegin()->ByteSizeLong();
    if (bytes > kMaxPageBytes) break;
  }
  const bool cut = response.entries_size() == part.limit || bytes > kMaxPageBytes;
  if (cut) next = response.entries().rbegin()->sequence();
  if (next != 0) response.set_next_page_token(MakePageToken(absl::StrCat(next), filter));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AuditService::GetAuditHead(grpc::CallbackServerContext* context,
                                                     const v1::GetAuditHeadRequest*,
                                                     v1::AuditHead* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AuditService.GetAuditHead", done);
  if (!caller) return reactor;
  OnWorker(backend_, done, [this, response, done] {
    const absl::StatusOr<AuditChain> chain = backend_.store.GetAuditChain();
    if (!chain.ok()) return done(chain.status());
    PointToProto(chain->beginning, *response->mutable_beginning());
    PointToProto(chain->head, *response->mutable_head());
    response->set_count(chain->head.sequence - chain->beginning.sequence);
    done(absl::OkStatus());
  });
  return reactor;
}

}  // namespace hostq::manager
