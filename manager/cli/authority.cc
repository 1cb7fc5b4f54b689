#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/view.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct AuthorityOptions {
  std::string certificate;
  std::string key;
  bool force = false;
};

std::string StepName(v1::Authority::Step step) {
  return absl::AsciiStrToLower(v1::Authority::Step_Name(step));
}

std::string Names(const google::protobuf::RepeatedPtrField<std::string>& names) {
  constexpr int kNamesShown = 10;
  std::vector<std::string> shown;
  for (const std::string& name : names) {
    if (static_cast<int>(shown.size()) < kNamesShown) shown.push_back(Clean(name));
  }
  return absl::StrCat(names.size(), ": ", absl::StrJoin(shown, ", "),
                      names.size() > kNamesShown ? ", ..." : "");
}

std::string NextLine(const v1::Authority& authority) {
  switch (authority.next_step()) {
    case v1::Authority::PREPARE:
      return "next: hostq authority prepare makes another authority, which all nodes get to trust";
    case v1::Authority::ACTIVATE:
      return authority.nodes_not_trusting().empty()
                 ? "next: hostq authority activate; all nodes trust the next authority"
                 : absl::StrCat("wait: nodes that do not yet trust the next authority, ",
                                Names(authority.nodes_not_trusting()));
    case v1::Authority::RETIRE:
      if (!authority.nodes_using_old().empty()) {
        return absl::StrCat("wait: nodes with a certificate of the old authority, ",
                            Names(authority.nodes_using_old()));
      }
      return authority.administrators_using_old().empty()
                 ? "next: hostq authority retire; nobody uses the old authority"
                 : absl::StrCat("wait: administrators with a certificate of the old authority, ",
                                Names(authority.administrators_using_old()));
    default:
      return "";
  }
}

int Print(Tool& tool, const v1::Authority& authority) {
  if (tool.document()) {
    tool.PrintDocument(authority);
    return kDone;
  }
  const View view = MakeView(tool);
  Table table({{"STATE"},
               {"SUBJECT", Table::Fit::kWrap},
               {"UNTIL"},
               {"NODES", Table::Fit::kKeep, true},
               {"PIN", Table::Fit::kWrap}});
  for (const v1::AuthorityCertificate& one : authority.certificates()) {
    table.AddRow({v1::AuthorityCertificate::State_Name(one.state()), Clean(one.subject()),
                  TimeText(one.expire_time(), view.zone),
                  authority.built_in() ? absl::StrCat(one.nodes()) : "", Clean(one.pin())});
  }
  std::string out = table.Render(view.width, view.colour);
  if (!authority.built_in()) {
    absl::StrAppend(&out, "\nThe certificates of this cluster come from outside.\n");
  } else {
    absl::StrAppend(&out, "\n", NextLine(authority), "\n");
    if (authority.last_step() != v1::Authority::STEP_UNSPECIFIED) {
      absl::StrAppend(&out, "the last step (", StepName(authority.last_step()),
                      ") is taken back with: hostq authority undo\n");
    }
  }
  tool.Print(out);
  return kDone;
}

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.str().empty()) {
    return UsageError(absl::StrCat("cannot read ", Clean(path)));
  }
  return text.str();
}

absl::StatusOr<int> Show(Tool& tool, const AuthorityOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Authority authority, tool.client().GetAuthority());
  return Print(tool, authority);
}

absl::StatusOr<int> Prepare(Tool& tool, const AuthorityOptions& options) {
  v1::PrepareAuthorityRequest request;
  if (!options.certificate.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(*request.mutable_certificate_pem(), ReadPem(options.certificate));
    HOSTQ_ASSIGN_OR_RETURN(*request.mutable_key_pem(), ReadPem(options.key));
  }
  HOSTQ_ASSIGN_OR_RETURN(const v1::Authority authority, tool.client().PrepareAuthority(request));
  return Print(tool, authority);
}

absl::StatusOr<int> Activate(Tool& tool, const AuthorityOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Authority authority,
                         tool.client().ActivateAuthority(options.force));
  return Print(tool, authority);
}

absl::StatusOr<int> Retire(Tool& tool, const AuthorityOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Authority authority,
                         tool.client().RetireAuthority(options.force));
  return Print(tool, authority);
}

absl::StatusOr<int> Undo(Tool& tool, const AuthorityOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Authority authority, tool.client().UndoAuthority(options.force));
  return Print(tool, authority);
}

}  // namespace

void AddAuthorityCommands(CLI::App& root, Tool& tool) {
  CLI::App& group =
      AddGroup(root, "authority", "the cluster's certificate authority, and its replacement");
  auto options = std::make_shared<AuthorityOptions>();
  OnRun(
      AddLeaf(group, "show", "the authorities, who still uses which, and the step that comes next",
              "hostq authority show"),
      tool, options, Show);

  options = std::make_shared<AuthorityOptions>();
  CLI::App& prepare =
      AddLeaf(group, "prepare",
              "make another authority, or take one of your company's; all nodes "
              "get to trust it",
              "hostq authority prepare\n"
              "hostq authority prepare --certificate hosting.pem --key hosting.key");
  CLI::Option* certificate = AddText(prepare, "--certificate", options->certificate, "FILE",
                                     "the authority's certificate, PEM");
  CLI::Option* key = AddText(prepare, "--key", options->key, "FILE", "its key, PEM, on P-256");
  certificate->needs(key);
  key->needs(certificate);
  OnRun(prepare, tool, options, Prepare);

  options = std::make_shared<AuthorityOptions>();
  CLI::App& activate =
      AddLeaf(group, "activate", "sign with the next authority; the nodes renew their certificates",
              "hostq authority activate");
  activate.add_flag("--force", options->force,
                    "also if nodes do not yet trust it: those have to join anew");
  OnRun(activate, tool, options, Activate);

  options = std::make_shared<AuthorityOptions>();
  CLI::App& retire =
      AddLeaf(group, "retire", "trust the old authority no more", "hostq authority retire");
  retire.add_flag("--force", options->force,
                  "also if nodes still have certificates of it: those have to join anew");
  OnRun(retire, tool, options, Retire);

  options = std::make_shared<AuthorityOptions>();
  CLI::App& undo = AddLeaf(group, "undo", "take the last step back", "hostq authority undo");
  undo.add_flag("--force", options->force,
                "also if nodes have certificates of the authority that is dropped by it: those "
                "have to join anew");
  OnRun(undo, tool, options, Undo);
}

}  // namespace hostq::cli
