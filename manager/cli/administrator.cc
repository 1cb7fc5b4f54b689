#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cli/endpoint.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct AdministratorOptions {
  std::string name;
  std::string out;
  int days = 90;
  bool renew = false;
  std::string note;
};

absl::StatusOr<int> MakeIdentity(Tool& tool, const AdministratorOptions& options) {
  // The key is made here and goes nowhere but into the file.
  const PrivateKey key = PrivateKey::Generate();
  // Before anything is signed: a file that cannot be written would lose the certificate.
  HOSTQ_RETURN_IF_ERROR(
      WriteFileDurably(options.out, key.ToPem().Reveal(), 0600, IfExists::kRefuse));
  v1::CreateAdministratorRequest request;
  request.set_name(options.name);
  request.set_csr_pem(MakeCertificateRequest(key, options.name.substr(0, 64)));
  request.set_replace(options.renew);
  *request.mutable_life() = google::protobuf::util::TimeUtil::HoursToDuration(24L * options.days);
  tool.names = {{"NAME", options.name}};
  const absl::StatusOr<v1::CreateAdministratorResponse> response =
      tool.client().CreateAdministrator(request);
  if (!response.ok()) {
    (void)std::remove(options.out.c_str());
    return response.status();
  }
  const SecretString identity =
      FormatIdentity(key.ToPem(), response->certificate_pem(), response->ca_pem());
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(options.out, identity.Reveal(), 0600, IfExists::kReplace));
  if (tool.document()) {
    tool.PrintDocument(response->administrator());
    return kDone;
  }
  tool.Print(absl::StrCat("The identity of ", Clean(options.name), ", valid until ",
                          TimeText(response->administrator().expire_time(), tool.zone), ", is in ",
                          Clean(options.out), ". It is a secret: bring it to ", Clean(options.name),
                          " over a safe way, and remove it here. Then:\n\n",
                          "  hostq --manager HOST:7445 --identity FILE node list\n"));
  return kDone;
}

std::string StateOf(const v1::Administrator& each, absl::Time now) {
  if (each.has_revoke_time()) return "revoked";
  return ToTime(each.expire_time()) <= now ? "expired" : "active";
}

absl::StatusOr<int> List(Tool& tool, const AdministratorOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListAdministratorsResponse response,
                         tool.client().ListAdministrators());
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (response.administrators().empty()) {
    tool.Print("No administrators with a certificate. Add one: hostq administrator add --help\n");
    return kDone;
  }
  Table table({{"NAME", Table::Fit::kCut},
               {"STATE"},
               {"EXPIRES"},
               {"ADDED BY", Table::Fit::kCut},
               {"SERIAL", Table::Fit::kCut}});
  for (const v1::Administrator& each : response.administrators()) {
    const std::string state = StateOf(each, tool.now());
    table.AddRow({Clean(each.name()),
                  {state, state == "active" ? Colour::kNone : Colour::kRed},
                  TimeText(each.expire_time(), tool.zone),
                  Clean(each.created_by()),
                  Clean(each.serial())});
  }
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

absl::StatusOr<int> Revoke(Tool& tool, const AdministratorOptions& options) {
  v1::RevokeAdministratorRequest request;
  request.set_name(options.name);
  request.set_note(options.note);
  tool.names = {{"NAME", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Administrator revoked,
                         tool.client().RevokeAdministrator(request));
  if (tool.document()) {
    tool.PrintDocument(revoked);
  } else {
    tool.Print(absl::StrCat("the certificate of ", Clean(revoked.name()),
                            " is revoked: nobody is let in with it any more, and its open "
                            "streams have ended\n"));
  }
  return kDone;
}

void AddIdentityOptions(CLI::App& leaf, Tool& tool,
                        const std::shared_ptr<AdministratorOptions>& options) {
  AddText(leaf, "NAME", options->name, "", "the person")->required();
  leaf.add_option("--days", options->days, "valid for so many: 90 (the default), at most 365")
      ->type_name("N")
      ->check(CLI::Range(1, 365).description(""));
  AddText(leaf, "--out", options->out, "FILE", "where the identity goes; must not exist")
      ->required();
  OnRun(leaf, tool, options, MakeIdentity);
}

}  // namespace

void AddAdministratorCommands(CLI::App& root, Tool& tool) {
  CLI::App& group =
      AddGroup(root, "administrator", "persons who administer the cluster from elsewhere");
  auto options = std::make_shared<AdministratorOptions>();
  AddIdentityOptions(AddLeaf(group, "add", "make a person's identity: a key and a certificate",
                             "hostq administrator add alice --out alice.pem\n"
                             "hostq administrator add alice --days 30 --out alice.pem"),
                     tool, options);

  options = std::make_shared<AdministratorOptions>();
  options->renew = true;
  AddIdentityOptions(
      AddLeaf(group, "renew", "make a person's next identity; the one before is void at once",
              "hostq administrator renew alice --out alice.pem"),
      tool, options);

  options = std::make_shared<AdministratorOptions>();
  OnRun(AddLeaf(group, "list", "all of them", "hostq administrator list"), tool, options, List);

  options = std::make_shared<AdministratorOptions>();
  CLI::App& revoke = AddLeaf(group, "revoke", "refuse a person's certificate from now on",
                             "hostq administrator revoke alice --note 'left the company'");
  AddText(revoke, "NAME", options->name, "", "the person")->required();
  AddText(revoke, "--note", options->note, "WHY", "kept with it");
  OnRun(revoke, tool, options, Revoke);
}

}  // namespace hostq::cli
