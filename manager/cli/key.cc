#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct KeyOptions {
  v1::CreateKeyRequest create;
  std::string name;
  std::vector<std::string> scopes;
  std::vector<std::string> sources;
  absl::Duration expires = absl::Hours(24 * 365);
  absl::Duration keep = absl::Hours(24);
  std::string note;
  bool all = false;
};

google::protobuf::Duration ToProto(absl::Duration span) {
  return google::protobuf::util::TimeUtil::SecondsToDuration(absl::ToInt64Seconds(span));
}

std::string StateOf(const v1::Key& key, absl::Time now) {
  if (key.has_revoke_time()) return "revoked";
  if (ToTime(key.expire_time()) <= now) return "expired";
  return key.secrets_size() > 1 ? "rotating" : "active";
}

Colour ColourOf(const std::string& state) {
  return state == "active" ? Colour::kNone : state == "rotating" ? Colour::kYellow : Colour::kRed;
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return Clean(absl::StrJoin(texts, " "));
}

int PrintSecret(Tool& tool, const v1::CreateKeyResponse& response, absl::string_view what) {
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  tool.Print(absl::StrCat(what, " of API key ", Clean(response.key().name()), ", valid until ",
                          TimeText(response.key().expire_time(), tool.zone),
                          ". It is not shown again:\n\n  ", Clean(response.text()),
                          "\n\nKeep it in a file that only its program can read: never in a "
                          "command line or a URL.\n"));
  return kDone;
}

absl::StatusOr<int> Create(Tool& tool, const KeyOptions& options) {
  v1::CreateKeyRequest request = options.create;
  request.set_name(options.name);
  for (const std::string& scope : options.scopes) request.add_scopes(scope);
  for (const std::string& source : options.sources) request.add_sources(source);
  *request.mutable_expires_in() = ToProto(options.expires);
  tool.names = {{"KEY", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::CreateKeyResponse response, tool.client().CreateKey(request));
  return PrintSecret(tool, response, "The secret");
}

absl::StatusOr<int> Rotate(Tool& tool, const KeyOptions& options) {
  v1::RotateKeyRequest request;
  request.set_name(options.name);
  *request.mutable_keep() = ToProto(options.keep);
  tool.names = {{"KEY", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::CreateKeyResponse response, tool.client().RotateKey(request));
  const int code = PrintSecret(tool, response, "A new secret");
  if (!tool.document() && response.key().secrets_size() > 1) {
    tool.Print(absl::StrCat("The one of before ends at ",
                            TimeText(response.key().secrets(1).end_time(), tool.zone), ".\n"));
  }
  return code;
}

absl::StatusOr<int> List(Tool& tool, const KeyOptions& options) {
  v1::ListKeysRequest request;
  request.set_include_revoked(options.all);
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListKeysResponse response, tool.client().ListKeys(request));
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (response.keys().empty()) {
    tool.Print("No API keys yet. Make one: hostq key create --help\n");
    return kDone;
  }
  Table table({{"NAME", Table::Fit::kCut},
               {"STATE"},
               {"SCOPES", Table::Fit::kWrap},
               {"EXPIRES"},
               {"LAST USE"},
               {"FROM"}});
  for (const v1::Key& key : response.keys()) {
    const std::string state = StateOf(key, tool.now());
    table.AddRow({Clean(key.name()),
                  {state, ColourOf(state)},
                  absl::StrCat(Joined(key.scopes()), key.own_accounts() ? " (own accounts)" : ""),
                  TimeText(key.expire_time(), tool.zone),
                  key.has_last_use_time() ? TimeText(key.last_use_time(), tool.zone) : "never",
                  Clean(key.last_use_source())});
  }
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

int PrintKey(Tool& tool, const v1::Key& key) {
  if (tool.document()) {
    tool.PrintDocument(key);
    return kDone;
  }
  const std::string state = StateOf(key, tool.now());
  Table table({{""}, {"", Table::Fit::kWrap}});
  table.AddRow({"Key", {Clean(key.name()), Colour::kBold}});
  table.AddRow({"Id", Clean(key.id())});
  table.AddRow({"State", {state, ColourOf(state)}});
  if (key.has_revoke_time()) {
    table.AddRow(
        {"Revoked",
         absl::StrCat(TimeText(key.revoke_time(), tool.zone), " by ", Clean(key.revoked_by()),
                      key.revoke_note().empty() ? "" : ": ", Clean(key.revoke_note()))});
  }
  for (const std::string& scope : key.scopes()) table.AddRow({"Scope", Clean(scope)});
  table.AddRow(
      {"Accounts", key.own_accounts() ? "only those that it created" : "as its scopes say"});
  table.AddRow({"Sources", key.sources().empty() ? "everywhere" : Joined(key.sources())});
  table.AddRow({"Created", absl::StrCat(TimeText(key.create_time(), tool.zone), " by ",
                                        Clean(key.created_by()))});
  table.AddRow({"Expires", TimeText(key.expire_time(), tool.zone)});
  for (const v1::KeySecret& secret : key.secrets()) {
    table.AddRow(
        {"Secret",
         absl::StrCat("of ", TimeText(secret.create_time(), tool.zone),
                      secret.has_end_time() ? ", until " : "",
                      secret.has_end_time() ? TimeText(secret.end_time(), tool.zone) : "")});
  }
  const auto limit = [](uint32_t n, absl::string_view unit) {
    return n == 0 ? std::string("as configured") : absl::StrCat(n, unit);
  };
  table.AddRow({"Requests", limit(key.requests_per_second(), "/s")});
  table.AddRow({"Unfinished", limit(key.max_unfinished(), " commands at most")});
  table.AddRow({"Last use", key.has_last_use_time()
                                ? absl::StrCat(TimeText(key.last_use_time(), tool.zone), " from ",
                                               Clean(key.last_use_source()))
                                : "never"});
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

absl::StatusOr<int> Show(Tool& tool, const KeyOptions& options) {
  tool.names = {{"KEY", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Key key, tool.client().GetKey(options.name));
  return PrintKey(tool, key);
}

absl::StatusOr<int> Revoke(Tool& tool, const KeyOptions& options) {
  v1::RevokeKeyRequest request;
  request.set_name(options.name);
  request.set_note(options.note);
  tool.names = {{"KEY", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Key key, tool.client().RevokeKey(request));
  if (tool.document()) {
    tool.PrintDocument(key);
  } else {
    tool.Print(absl::StrCat("API key ", Clean(key.name()),
                            " is revoked: nothing is let in with it any more, and its open "
                            "streams have ended\n"));
  }
  return kDone;
}

CLI::App& AddOne(CLI::App& group, Tool& tool, const std::shared_ptr<KeyOptions>& options,
                 absl::StatusOr<int> (*run)(Tool&, const KeyOptions&), const std::string& name,
                 const std::string& description, const std::string& example) {
  CLI::App& leaf = AddLeaf(group, name, description, example);
  AddText(leaf, "NAME", options->name, "", "the key")->required();
  OnRun(leaf, tool, options, run);
  return leaf;
}

void AddCreate(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<KeyOptions>();
  CLI::App& create =
      AddOne(group, tool, options, Create, "create", "make an API key and show its secret, once",
             "hostq key create monitoring --scope read\n"
             "hostq key create billing --scope read --scope submit:create_account,suspend_account "
             "--own-accounts --source 192.0.2.0/24\n"
             "hostq key create shop --scope 'submit:*:*:*.shop.example' --expires 30d --rate 5/s");
  create
      .add_option("--scope", options->scopes,
                  "VERB[:KINDS[:NODES[:ACCOUNTS]]], repeated; verbs: read, submit, act, operate, "
                  "admin")
      ->type_name("SCOPE")
      ->required()
      ->allow_extra_args(false);
  AddSpan(create, "--expires", options->expires,
          "after so long: 365d (the default), at most 3650d");
  create
      .add_option("--source", options->sources,
                  "only from these addresses: repeated, or several with commas")
      ->type_name("RANGE")
      ->delimiter(',')
      ->allow_extra_args(false);
  create.add_flag_callback(
      "--own-accounts", [options] { options->create.set_own_accounts(true); },
      "only accounts that it created");
  const auto rate = [options](const std::string& text) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(absl::StripSuffix(text, "/s"), &number) || number == 0) {
      Reject("--rate", text, "a number of requests in a second: use 20/s");
    }
    options->create.set_requests_per_second(number);
  };
  create
      .add_option_function<std::string>("--rate", rate,
                                        "requests in a second; twice as many at once after a pause")
      ->type_name("N/s");
  create
      .add_option_function<uint32_t>(
          "--max-unfinished", [options](uint32_t n) { options->create.set_max_unfinished(n); },
          "commands that have not ended: no more than so many")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000'000).description(""));
}

}  // namespace

void AddKeyCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "key", "API keys: with which programs use the manager");
  AddCreate(group, tool);

  auto options = std::make_shared<KeyOptions>();
  CLI::App& list = AddLeaf(group, "list", "all keys, with their last use", "hostq key list --all");
  list.add_flag("--all", options->all, "those that are revoked too");
  OnRun(list, tool, options, List);

  options = std::make_shared<KeyOptions>();
  AddOne(group, tool, options, Show, "show", "a key with its scopes and limits",
         "hostq key show billing");

  options = std::make_shared<KeyOptions>();
  CLI::App& rotate = AddOne(group, tool, options, Rotate, "rotate",
                            "give a key a second secret; the first one ends a little later",
                            "hostq key rotate billing --keep 2h");
  const auto keep = [options](const std::string& text) {
    const auto span =
        text == "0" || text == "0s" ? std::optional(absl::ZeroDuration()) : ParseSpan(text);
    if (!span) Reject("--keep", text, "a duration: use 2h, 1d, or 0");
    options->keep = *span;
  };
  rotate
      .add_option_function<std::string>(
          "--keep", keep, "how long the secret of before goes on: 24h (the default), at most 30d")
      ->type_name("DURATION");

  options = std::make_shared<KeyOptions>();
  CLI::App& revoke = AddOne(group, tool, options, Revoke, "revoke",
                            "refuse a key from now on, and end its open streams",
                            "hostq key revoke billing --note 'was in a mail'");
  AddText(revoke, "--note", options->note, "WHY", "kept with the key");
}

}  // namespace hostq::cli
