#include "manager/api/authority_service.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "manager/api/convert.h"
#include "manager/api/engine_token_store.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxCertificates = 64 << 10;
constexpr size_t kNamesShown = 5;

v1::AuthorityCertificate::State StateOf(AuthoritySet::Role role) {
  switch (role) {
    case AuthoritySet::Role::kIssuing:
      return v1::AuthorityCertificate::ISSUING;
    case AuthoritySet::Role::kNext:
      return v1::AuthorityCertificate::NEXT;
    case AuthoritySet::Role::kOld:
      return v1::AuthorityCertificate::OLD;
    case AuthoritySet::Role::kRetired:
      return v1::AuthorityCertificate::RETIRED;
  }
  return v1::AuthorityCertificate::STATE_UNSPECIFIED;
}

v1::Authority::Step StepOf(AuthoritySet::Step step) {
  return static_cast<v1::Authority::Step>(static_cast<int>(step) + 1);
}

absl::Status InUse(absl::string_view what, const std::vector<std::string>& names) {
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + std::min(names.size(), kNamesShown));
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kAuthorityInUse,
                   absl::StrCat(names.size(), " ", what, ": ", absl::StrJoin(first, ", "),
                                names.size() > first.size() ? ", ..." : ""));
}

std::string PinOf(const std::vector<AuthoritySet::Member>& members, AuthoritySet::Role role) {
  for (const AuthoritySet::Member& one : members) {
    if (one.role == role) return one.authority->pin();
  }
  return "";
}

// "{"issuing":"sha256:...","next":"sha256:..."}", for the audit.
std::string AuditJsonOf(const std::vector<AuthoritySet::Member>& members) {
  return absl::StrCat("{",
                      absl::StrJoin(members, ",",
                                    [](std::string* out, const AuthoritySet::Member& one) {
                                      absl::StrAppend(out, "\"", NameOf(one.role), "\":\"",
                                                      one.authority->pin(), "\"");
                                    }),
                      "}");
}

void ShowOutside(const AuthoritySet& authorities, v1::Authority& response) {
  const auto certificates = SplitCertificates(authorities.trusted_pem());
  if (!certificates.ok()) return;
  for (const std::string& pem : *certificates) {
    const auto info = ParseCertificate(pem);
    if (!info.ok()) continue;
    v1::AuthorityCertificate& out = *response.add_certificates();
    out.set_state(v1::AuthorityCertificate::OUTSIDE);
    out.set_pin(info->key_hash);
    out.set_subject(info->subject);
    *out.mutable_start_time() = ToProto(info->not_before);
    *out.mutable_expire_time() = ToProto(info->not_after);
    out.set_signed_by_another(info->subject != info->issuer);
  }
}

}  // namespace

std::vector<std::string> AuthorityService::AdministratorsNotSignedBy(const std::string& pin) const {
  return hooks_.administrators == nullptr ? std::vector<std::string>() : hooks_.administrators(pin);
}

void AuthorityService::Show(v1::Authority& response) const {
  response.set_built_in(authorities_.built_in());
  const std::vector<AuthoritySet::Member> members = authorities_.members();
  std::vector<std::string> users;  // the pin of who signed each node's certificate
  for (const auto& [name, row] : backend_.cluster.nodes()) {
    if (!row.node().has_join_time() || row.has_ban()) continue;
    const storage::v1::Certificate* certificate = CertificateOf(row);
    users.push_back(certificate == nullptr ? "" : certificate->authority());
  }
  response.set_nodes(static_cast<int32_t>(users.size()));
  if (!authorities_.built_in()) return ShowOutside(authorities_, response);
  for (const AuthoritySet::Member& one : members) {
    v1::AuthorityCertificate& out = *response.add_certificates();
    out.set_state(StateOf(one.role));
    out.set_pin(one.authority->pin());
    out.set_subject(one.authority->subject());
    *out.mutable_start_time() = ToProto(one.authority->not_before());
    *out.mutable_expire_time() = ToProto(one.authority->not_after());
    out.set_signed_by_another(one.authority->signed_by_another());
    out.set_nodes(
        static_cast<int32_t>(std::count(users.begin(), users.end(), one.authority->pin())));
  }
  response.set_next_step(StepOf(authorities_.next_step()));
  if (const auto last = authorities_.last_step()) response.set_last_step(StepOf(*last));
  const std::string issuing = PinOf(members, AuthoritySet::Role::kIssuing);
  if (const std::string next = PinOf(members, AuthoritySet::Role::kNext); !next.empty()) {
    for (std::string& name : backend_.cluster.NodesNotTrusting(next)) {
      response.add_nodes_not_trusting(std::move(name));
    }
  }
  if (PinOf(members, AuthoritySet::Role::kOld).empty()) return;
  for (std::string& name : backend_.cluster.NodesNotSignedBy(issuing)) {
    response.add_nodes_using_old(std::move(name));
  }
  for (std::string& name : AdministratorsNotSignedBy(issuing)) {
    response.add_administrators_using_old(std::move(name));
  }
}

absl::Status AuthorityService::CheckTrusted() const {
  const std::string next = PinOf(authorities_.members(), AuthoritySet::Role::kNext);
  if (next.empty()) return absl::OkStatus();  // the step says what is wrong
  const std::vector<std::string> names = backend_.cluster.NodesNotTrusting(next);
  if (names.empty()) return absl::OkStatus();
  return InUse("nodes do not yet trust the next authority", names);
}

absl::Status AuthorityService::CheckUnused() const {
  const std::vector<AuthoritySet::Member> members = authorities_.members();
  if (PinOf(members, AuthoritySet::Role::kOld).empty()) return absl::OkStatus();
  const std::string issuing = PinOf(members, AuthoritySet::Role::kIssuing);
  const std::vector<std::string> names = backend_.cluster.NodesNotSignedBy(issuing);
  if (!names.empty()) return InUse("nodes have certificates of the old authority", names);
  const std::vector<std::string> persons = AdministratorsNotSignedBy(issuing);
  if (persons.empty()) return absl::OkStatus();
  return InUse("administrators have certificates of the old authority", persons);
}

absl::Status AuthorityService::CheckNextUnused() const {
  const std::vector<AuthoritySet::Member> members = authorities_.members();
  const std::string next = PinOf(members, AuthoritySet::Role::kNext);
  if (next.empty()) return absl::OkStatus();  // nothing is dropped
  std::vector<std::string> names;
  for (const auto& [name, row] : backend_.cluster.nodes()) {
    const storage::v1::Certificate* certificate = CertificateOf(row);
    const bool used = certificate != nullptr && certificate->authority() == next;
    if (!row.has_ban() && (used || row.next().authority() == next)) names.push_back(name);
  }
  if (!names.empty()) return InUse("nodes have certificates of the next authority", names);
  const std::vector<std::string> persons =
      AdministratorsNotSignedBy(PinOf(members, AuthoritySet::Role::kIssuing));
  if (persons.empty()) return absl::OkStatus();
  return InUse("administrators have certificates of the next authority", persons);
}

grpc::ServerUnaryReactor* AuthorityService::GetAuthority(grpc::CallbackServerContext* context,
                                                         const v1::GetAuthorityRequest*,
                                                         v1::Authority* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AuthorityService.GetAuthority", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, response, done](const auto&, const Now&) {
    Show(*response);
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* AuthorityService::Make(grpc::CallbackServerContext& context,
                                                 absl::string_view method, Plan plan,
                                                 v1::Authority* response) {
  auto* reactor = context.DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller = Admit(backend_, context, method, done);
  if (!caller) return reactor;
  const auto turn = std::make_shared<AuthoritySet::Turn>();
  // Through the engine, so that who asked for it stands in the audit before it is made.
  backend_.engine.Change(
      [this, plan, turn](const Now&) -> absl::StatusOr<ChangeSet> {
        *turn = authorities_.turn();
        HOSTQ_RETURN_IF_ERROR(plan.check());
        ChangeSet changes;
        changes.before = AuditJsonOf(authorities_.members());
        changes.after = absl::StrCat("{\"step\":\"", plan.step,
                                     "\",\"force\":", plan.force ? "true" : "false", "}");
        return changes;
      },
      caller->On("authority"),
      [this, plan, turn, response, done, caller = *caller](const absl::Status& status) {
        if (!status.ok()) return done(status);
        // That it was asked for stands already: this says that it was not made.
        const auto refuse = [this, done, caller](const absl::Status& why) {
          Refuse(backend_, caller, "authority", why, done);
        };
        OnWorker(backend_, refuse, [this, plan, turn, response, done, refuse, caller] {
          if (const absl::Status made = plan.make(*turn); !made.ok()) return refuse(made);
          Origin origin = caller.On("authority");
          origin.act = absl::StrCat("authority.", plan.step);
          backend_.engine.Audit(origin, absl::OkStatus(), "", AuditJsonOf(authorities_.members()));
          hooks_.changed();
          backend_.engine.Read([this, response, done](const auto&, const Now&) {
            Show(*response);
            done(absl::OkStatus());
          });
        });
      });
  return reactor;
}

grpc::ServerUnaryReactor* AuthorityService::PrepareAuthority(
    grpc::CallbackServerContext* context, const v1::PrepareAuthorityRequest* request,
    v1::Authority* response) {
  const auto check = [this, request]() -> absl::Status {
    const std::string& certificate = request->certificate_pem();
    const std::string& key = request->key_pem();
    if (certificate.empty() != key.empty() || certificate.size() + key.size() > kMaxCertificates) {
      return InvalidField(Reason::kInvalidArgument, "certificate_pem",
                          "wanted: a certificate and its key, or neither; at most 64 KiB");
    }
    HOSTQ_RETURN_IF_ERROR(authorities_.Check(AuthoritySet::Step::kPrepare));
    if (certificate.empty()) return absl::OkStatus();
    return CertificateAuthority::CheckImport(certificate, SecretString(absl::string_view(key)),
                                             backend_.clock.Now());
  };
  const auto make = [this, request](AuthoritySet::Turn) {
    const absl::Time now = backend_.clock.Now();
    if (request->certificate_pem().empty()) return authorities_.Prepare(now);
    return authorities_.PrepareImported(request->certificate_pem(),
                                        SecretString(absl::string_view(request->key_pem())), now);
  };
  return Make(*context, "hostq.v1.AuthorityService.PrepareAuthority",
              {"prepare", false, check, make}, response);
}

grpc::ServerUnaryReactor* AuthorityService::ActivateAuthority(
    grpc::CallbackServerContext* context, const v1::ActivateAuthorityRequest* request,
    v1::Authority* response) {
  const auto check = [this, force = request->force()] {
    const absl::Status next = authorities_.Check(AuthoritySet::Step::kActivate);
    return force || !next.ok() ? next : CheckTrusted();
  };
  const auto make = [this](AuthoritySet::Turn turn) {
    return authorities_.Activate(turn, backend_.clock.Now());
  };
  return Make(*context, "hostq.v1.AuthorityService.ActivateAuthority",
              {"activate", request->force(), check, make}, response);
}

grpc::ServerUnaryReactor* AuthorityService::RetireAuthority(
    grpc::CallbackServerContext* context, const v1::RetireAuthorityRequest* request,
    v1::Authority* response) {
  const auto check = [this, force = request->force()] {
    const absl::Status next = authorities_.Check(AuthoritySet::Step::kRetire);
    return force || !next.ok() ? next : CheckUnused();
  };
  const auto make = [this](AuthoritySet::Turn turn) { return authorities_.Retire(turn); };
  return Make(*context, "hostq.v1.AuthorityService.RetireAuthority",
              {"retire", request->force(), check, make}, response);
}

grpc::ServerUnaryReactor* AuthorityService::UndoAuthority(grpc::CallbackServerContext* context,
                                                          const v1::UndoAuthorityRequest* request,
                                                          v1::Authority* response) {
  const auto check = [this, force = request->force()] {
    const absl::Status any = authorities_.CheckUndo();
    return force || !any.ok() ? any : CheckNextUnused();
  };
  const auto make = [this](AuthoritySet::Turn turn) { return authorities_.Undo(turn).status(); };
  return Make(*context, "hostq.v1.AuthorityService.UndoAuthority",
              {"undo", request->force(), check, make}, response);
}

}  // namespace hostq::manager
