#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cli/account_view.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/resync.h"
#include "manager/cli/table.h"
#include "manager/cli/view.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct AccountOptions {
  std::string domain;
  std::string user;
  std::string address;
  int64_t quota = 0;
  std::optional<uint32_t> uid;
  std::string note;
  bool yes = false;
  SubmitOptions submit;
};

struct ListOptions {
  v1::ListAccountsRequest request;
};

absl::StatusOr<int> Create(Tool& tool, const AccountOptions& options) {
  v1::CommandSpec spec;
  v1::CreateAccount& create = *spec.mutable_create_account();
  create.set_domain(options.domain);
  create.set_user(options.user);
  create.set_address(options.address);
  create.set_quota_bytes(options.quota);
  if (options.uid) create.set_uid(*options.uid);
  tool.names = {{"DOMAIN", options.domain}, {"ADDRESS", options.address}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> Suspend(Tool& tool, const AccountOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_suspend_account()->set_domain(options.domain);
  spec.mutable_suspend_account()->set_note(options.note);
  tool.names = {{"DOMAIN", options.domain}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> Unsuspend(Tool& tool, const AccountOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_unsuspend_account()->set_domain(options.domain);
  tool.names = {{"DOMAIN", options.domain}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> Delete(Tool& tool, const AccountOptions& options) {
  tool.names = {{"DOMAIN", options.domain}};
  if (!options.yes) {
    if (!tool.terminal.can_ask) {
      return UsageError("deleting an account needs --yes where nobody can be asked");
    }
    HOSTQ_ASSIGN_OR_RETURN(const v1::Account account, tool.client().GetAccount(options.domain));
    if (!tool.Confirm(absl::StrCat("Delete ", Clean(account.domain()), " (user ",
                                   Clean(account.user()), ", home ", Clean(account.home()),
                                   ") from every node?"))) {
      return absl::AbortedError("not confirmed; nothing was done");
    }
  }
  v1::CommandSpec spec;
  spec.mutable_delete_account()->set_domain(options.domain);
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> SetQuota(Tool& tool, const AccountOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_set_account_quota()->set_domain(options.domain);
  spec.mutable_set_account_quota()->set_quota_bytes(options.quota);
  tool.names = {{"DOMAIN", options.domain}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> AddAddress(Tool& tool, const AccountOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_add_account_address()->set_domain(options.domain);
  spec.mutable_add_account_address()->set_address(options.address);
  tool.names = {{"DOMAIN", options.domain}, {"ADDRESS", options.address}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> RemoveAddress(Tool& tool, const AccountOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_remove_account_address()->set_domain(options.domain);
  spec.mutable_remove_account_address()->set_address(options.address);
  tool.names = {{"DOMAIN", options.domain}, {"ADDRESS", options.address}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> List(Tool& tool, const ListOptions& options) {
  v1::ListAccountsResponse all;
  v1::ListAccountsRequest request = options.request;
  request.set_page_size(1000);
  do {
    HOSTQ_ASSIGN_OR_RETURN(const v1::ListAccountsResponse page,
                           tool.client().ListAccounts(request));
    all.mutable_accounts()->MergeFrom(page.accounts());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (tool.document()) {
    tool.PrintDocument(all);
    return kDone;
  }
  if (all.accounts().empty()) {
    const bool any = options.request.ByteSizeLong() == 0;
    tool.Print(any ? "No accounts yet. Make one: hostq account create --help\n"
                   : "No account matches.\n");
    return kDone;
  }
  Table table({{"DOMAIN", Table::Fit::kCut},
               {"USER", Table::Fit::kCut},
               {"UID", Table::Fit::kKeep, true},
               {"QUOTA", Table::Fit::kKeep, true},
               {"STATE"},
               {"ADDRESSES", Table::Fit::kWrap}});
  for (const v1::Account& account : all.accounts()) {
    table.AddRow({Clean(account.domain()),
                  Clean(account.user()),
                  absl::StrCat(account.uid()),
                  FormatSize(account.quota_bytes()),
                  {StateText(account), ColourOf(account)},
                  AddressesText(account)});
  }
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

absl::StatusOr<int> Show(Tool& tool, const AccountOptions& options) {
  tool.names = {{"DOMAIN", options.domain}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::DescribeAccountResponse response,
                         tool.client().DescribeAccount(options.domain));
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  tool.Print(RenderAccount(response, MakeView(tool)));
  return kDone;
}

// A leaf with its domain, the options of all that submit, and what it does.
CLI::App& AddSubmitter(CLI::App& group, Tool& tool, const std::shared_ptr<AccountOptions>& options,
                       absl::StatusOr<int> (*run)(Tool&, const AccountOptions&),
                       const std::string& name, const std::string& description,
                       const std::string& example) {
  CLI::App& leaf = AddLeaf(group, name, description, example);
  AddText(leaf, "DOMAIN", options->domain, "", "the account, for example example.com")->required();
  OnRun(leaf, tool, options, run);
  return leaf;
}

void AddUid(CLI::App& create, std::optional<uint32_t>& uid) {
  const auto parse = [&uid](const std::string& text) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(text, &number) || number == 0) {
      Reject("--uid", text, "the user id of an account: use a number above 0, or leave it out");
    }
    uid = number;
  };
  create
      .add_option_function<std::string>("--uid", parse, "its user id (default: the next free one)")
      ->type_name("N");
}

void AddChanges(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<AccountOptions>();
  CLI::App& suspend = AddSubmitter(group, tool, options, Suspend, "suspend",
                                   "lock an account's login and end its processes",
                                   "hostq account suspend example.com --note 'unpaid since May'");
  AddText(suspend, "--note", options->note, "TEXT", "why; kept with the account");
  AddSubmitOptions(suspend, tool, options->submit);

  options = std::make_shared<AccountOptions>();
  CLI::App& unsuspend =
      AddSubmitter(group, tool, options, Unsuspend, "unsuspend", "undo a suspension",
                   "hostq account unsuspend example.com --wait");
  AddSubmitOptions(unsuspend, tool, options->submit);

  options = std::make_shared<AccountOptions>();
  CLI::App& remove = AddSubmitter(
      group, tool, options, Delete, "delete",
      "delete an account from every node (its home goes to the share's trash)",
      "hostq account delete example.com\nhostq account delete example.com --yes --wait");
  remove.add_flag("--yes", options->yes, "do not ask; needed where nobody can be asked");
  AddSubmitOptions(remove, tool, options->submit);

  options = std::make_shared<AccountOptions>();
  CLI::App& quota = AddSubmitter(group, tool, options, SetQuota, "set-quota",
                                 "change an account's quota and verify it on every node",
                                 "hostq account set-quota example.com --quota 20GiB --wait");
  AddSize(quota, "--quota", options->quota, "the new limit; unlimited: none")->required();
  AddSubmitOptions(quota, tool, options->submit);
}

void AddAddressChanges(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<AccountOptions>();
  CLI::App& add = AddSubmitter(group, tool, options, AddAddress, "add-address",
                               "give an account one more address",
                               "hostq account add-address example.com 203.0.113.11");
  AddText(add, "ADDRESS", options->address, "", "IPv4 or IPv6, without prefix")->required();
  AddSubmitOptions(add, tool, options->submit);

  options = std::make_shared<AccountOptions>();
  CLI::App& remove = AddSubmitter(group, tool, options, RemoveAddress, "remove-address",
                                  "take an address from an account",
                                  "hostq account remove-address example.com 203.0.113.11");
  AddText(remove, "ADDRESS", options->address, "", "one of the account's addresses")->required();
  AddSubmitOptions(remove, tool, options->submit);
}

void AddList(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<ListOptions>();
  v1::ListAccountsRequest& request = options->request;
  CLI::App& list = AddLeaf(group, "list", "all accounts",
                           "hostq account list\n"
                           "hostq account list --state suspended --domain '*.example'\n"
                           "hostq account list --output json | jq -r '.accounts[].domain'");
  const auto parse = [&request](const std::string& text) {
    v1::Account::State state{};
    if (!v1::Account::State_Parse(absl::AsciiStrToUpper(text), &state) || state == 0) {
      Reject("--state", text, "a state: creating, active, suspended or deleting");
    }
    request.set_state(state);
  };
  list.add_option_function<std::string>("--state", parse,
                                        "only those that are creating, active, suspended, deleting")
      ->type_name("STATE");
  AddText(list, "--user", *request.mutable_user(), "NAME", "only the one with this login name");
  AddText(list, "--address", *request.mutable_address(), "ADDRESS", "only those that have it");
  AddText(list, "--domain", *request.mutable_domain(), "PATTERN",
          "only those that match; * stands for any characters");
  OnRun(list, tool, options, List);
}

}  // namespace

void AddAccountCommands(CLI::App& root, Tool& tool) {
  CLI::App& group =
      AddGroup(root, "account", "hosting accounts: their users, homes, quotas, addresses");
  auto options = std::make_shared<AccountOptions>();
  CLI::App& create =
      AddSubmitter(group, tool, options, Create, "create", "create an account on every node",
                   "hostq account create example.com --user exampleco --address 203.0.113.10 \\\n"
                   "      --quota 10GiB --wait");
  AddText(create, "--user", options->user, "NAME", "its login name on every node")->required();
  AddText(create, "--address", options->address, "ADDRESS", "its address, on lo of every app node")
      ->required();
  AddSize(create, "--quota", options->quota, "limit of its home: 512MiB, 10GiB; unlimited: none")
      ->required();
  AddUid(create, options->uid);
  AddSubmitOptions(create, tool, options->submit);
  AddChanges(group, tool);
  AddAddressChanges(group, tool);

  AddList(group, tool);
  options = std::make_shared<AccountOptions>();
  CLI::App& show = AddLeaf(group, "show", "whether an account is right everywhere, and why not",
                           "hostq account show example.com");
  AddText(show, "DOMAIN", options->domain, "", "the account")->required();
  OnRun(show, tool, options, Show);
  AddAccountCheck(group, tool);
  AddAccountResync(group, tool);
}

}  // namespace hostq::cli
