#include "manager/api/administrator_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/api/convert.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kDefaultLife = absl::Hours(24 * 90);
constexpr absl::Duration kMaxLife = absl::Hours(24 * 365);

v1::Administrator ShowRow(const storage::v1::Administrator& row) {
  v1::Administrator out;
  out.set_name(row.name());
  *out.mutable_create_time() = row.create_time();
  out.set_created_by(row.created_by());
  if (!row.certificates().empty()) {
    out.set_serial(row.certificates(0).serial());
    *out.mutable_expire_time() = row.certificates(0).expire_time();
    out.set_authority_pin(row.certificates(0).authority_pin());
  }
  if (row.has_revoke_time()) *out.mutable_revoke_time() = row.revoke_time();
  out.set_revoked_by(row.revoked_by());
  out.set_revoke_note(row.revoke_note());
  return out;
}

}  // namespace

AdministratorRing::Entry FromRow(const storage::v1::Administrator& row) {
  AdministratorRing::Entry entry;
  entry.name = row.name();
  entry.revoked = row.has_revoke_time();
  if (row.certificates().empty()) return entry;
  entry.certificate_hash = row.certificates(0).hash();
  entry.authority = row.certificates(0).authority_pin();
  entry.expire_time = TimeFromProto(row.certificates(0).expire_time());
  return entry;
}

v1::Administrator AdministratorService::TakeOver(const std::string& name) {
  const storage::v1::Administrator* row = backend_.cluster.FindAdministrator(name);
  HOSTQ_CHECK(row != nullptr);  // administrators are never removed
  administrators_.Put(FromRow(*row));
  streams_.Look();
  return ShowRow(*row);
}

grpc::ServerUnaryReactor* AdministratorService::CreateAdministrator(
    grpc::CallbackServerContext* context, const v1::CreateAdministratorRequest* request,
    v1::CreateAdministratorResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AdministratorService.CreateAdministrator", done);
  if (!caller) return reactor;
  const absl::Duration life = request->has_life() ? absl::Seconds(request->life().seconds()) +
                                                        absl::Nanoseconds(request->life().nanos())
                                                  : kDefaultLife;
  if (life <= absl::ZeroDuration() || life > kMaxLife) {
    done(InvalidField(Reason::kInvalidArgument, "life", "must be positive, at most 365 days"));
    return reactor;
  }
  const auto issued = std::make_shared<IssuedCertificate>();
  backend_.engine.Change(
      [this, request, life, issued,
       actor = caller->actor](const Now& now) -> absl::StatusOr<ChangeSet> {
        // Nothing is signed that will not be taken.
        HOSTQ_RETURN_IF_ERROR(
            backend_.cluster.CheckNewAdministrator(request->name(), request->replace(), now));
        const std::shared_ptr<const CertificateAuthority> authority = authorities_.issuing();
        if (authority == nullptr) {
          return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNoBuiltInAuthority,
                           "this cluster's certificates come from outside");
        }
        HOSTQ_ASSIGN_OR_RETURN(*issued, authority->IssueAdministrator(
                                            request->csr_pem(), request->name(), life, now.wall));
        storage::v1::AdministratorCertificate certificate;
        certificate.set_serial(issued->serial);
        *certificate.mutable_expire_time() = ToProto(issued->not_after);
        certificate.set_authority_pin(authority->pin());
        certificate.set_hash(issued->hash);
        return backend_.cluster.AddAdministrator(request->name(), std::move(certificate),
                                                 request->replace(), actor, now);
      },
      caller->On(absl::StrCat("administrator/", request->name())),
      [this, request, response, issued, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        *response->mutable_administrator() = TakeOver(request->name());
        response->set_certificate_pem(issued->pem);
        response->set_ca_pem(authorities_.trusted_pem());
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* AdministratorService::ListAdministrators(
    grpc::CallbackServerContext* context, const v1::ListAdministratorsRequest*,
    v1::ListAdministratorsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AdministratorService.ListAdministrators", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, response, done](const auto&, const Now&) {
    for (const auto& [name, row] : backend_.cluster.administrators()) {
      *response->add_administrators() = ShowRow(row);
    }
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* AdministratorService::RevokeAdministrator(
    grpc::CallbackServerContext* context, const v1::RevokeAdministratorRequest* request,
    v1::Administrator* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AdministratorService.RevokeAdministrator", done);
  if (!caller) return reactor;
  backend_.engine.Change(
      [this, request, actor = caller->actor](const Now& now) {
        return backend_.cluster.RevokeAdministrator(request->name(), request->note(), actor, now);
      },
      caller->On(absl::StrCat("administrator/", request->name())),
      [this, request, response, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        *response = TakeOver(request->name());
        done(absl::OkStatus());
      });
  return reactor;
}

}  // namespace hostq::manager
