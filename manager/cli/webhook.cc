#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

// Longer than the manager waits for a receiver.
constexpr absl::Duration kTestPatience = absl::Seconds(25);
constexpr absl::Duration kTestInterval = absl::Milliseconds(200);

struct WebhookOptions {
  std::string name;
  std::string url;
  std::vector<std::string> events, accounts, kinds;
  std::string note;
  std::string delivery;
  bool skip = false;
  bool body = false;
  absl::Duration keep = absl::Hours(24);
  int limit = 20;
};

std::string StateText(const v1::Webhook& webhook) {
  switch (webhook.state()) {
    case v1::Webhook::ACTIVE:
      return "active";
    case v1::Webhook::FAILING:
      return "failing";
    case v1::Webhook::PAUSED:
      return "paused";
    case v1::Webhook::ENDED:
      return "ended";
    default:
      return "unknown";
  }
}

Colour ColourOf(const v1::Webhook& webhook) {
  return webhook.state() == v1::Webhook::ACTIVE   ? Colour::kNone
         : webhook.state() == v1::Webhook::PAUSED ? Colour::kYellow
                                                  : Colour::kRed;
}

std::string StateText(const v1::Delivery& delivery) {
  return v1::Delivery::State_Name(delivery.state());
}

Colour ColourOf(const v1::Delivery& delivery) {
  return delivery.state() == v1::Delivery::DELIVERED ? Colour::kGreen
         : delivery.state() == v1::Delivery::PARKED  ? Colour::kRed
                                                     : Colour::kYellow;
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return Clean(absl::StrJoin(texts, " "));
}

int PrintSecret(Tool& tool, const v1::CreateWebhookResponse& response, absl::string_view what) {
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  tool.Print(absl::StrCat(what, " of webhook ", Clean(response.webhook().name()),
                          ", with which its deliveries are signed. It is not shown again:\n\n  ",
                          Clean(response.secret()),
                          "\n\nGive it to the receiver. Does it answer? hostq webhook test ",
                          Clean(response.webhook().name()), "\n"));
  return kDone;
}

absl::StatusOr<int> Create(Tool& tool, const WebhookOptions& options) {
  v1::CreateWebhookRequest request;
  request.set_name(options.name);
  request.set_url(options.url);
  for (const std::string& event : options.events) request.add_events(event);
  for (const std::string& account : options.accounts) request.add_accounts(account);
  for (const std::string& kind : options.kinds) request.add_kinds(kind);
  tool.names = {{"NAME", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const auto response, tool.client().CreateWebhook(request));
  return PrintSecret(tool, response, "The secret");
}

absl::StatusOr<int> Rotate(Tool& tool, const WebhookOptions& options) {
  v1::RotateWebhookRequest request;
  request.set_name(options.name);
  *request.mutable_keep() =
      google::protobuf::util::TimeUtil::SecondsToDuration(absl::ToInt64Seconds(options.keep));
  HOSTQ_ASSIGN_OR_RETURN(const auto response, tool.client().RotateWebhook(request));
  const int code = PrintSecret(tool, response, "A new secret");
  if (!tool.document() && response.webhook().secrets_size() > 1) {
    tool.Print(absl::StrCat("Until ", TimeText(response.webhook().secrets(1).end_time(), tool.zone),
                            " they are signed with the one of before as well.\n"));
  }
  return code;
}

absl::StatusOr<int> List(Tool& tool, const WebhookOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListWebhooksResponse response, tool.client().ListWebhooks());
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (response.webhooks().empty()) {
    tool.Print("No webhooks yet. Make one: hostq webhook create --help\n");
    return kDone;
  }
  Table table({{"NAME", Table::Fit::kCut},
               {"STATE"},
               {"EVENTS", Table::Fit::kWrap},
               {"URL", Table::Fit::kCut},
               {"PENDING", Table::Fit::kKeep, true},
               {"PARKED", Table::Fit::kKeep, true},
               {"LAST ANSWER", Table::Fit::kCut}});
  for (const v1::Webhook& webhook : response.webhooks()) {
    table.AddRow({Clean(webhook.name()),
                  {StateText(webhook), ColourOf(webhook)},
                  Joined(webhook.events()),
                  Clean(webhook.url()),
                  absl::StrCat(webhook.pending()),
                  absl::StrCat(webhook.parked()),
                  Clean(webhook.last_answer())});
  }
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

std::string Since(Tool& tool, const google::protobuf::Timestamp& time) {
  return absl::StrCat(AgeOf(time, tool.now()), " (", TimeText(time, tool.zone), ")");
}

void PrintWebhook(Tool& tool, const v1::Webhook& webhook) {
  Table table({{""}, {"", Table::Fit::kWrap}});
  table.AddRow({"Webhook", {Clean(webhook.name()), Colour::kBold}});
  table.AddRow({"Id", Clean(webhook.id())});
  table.AddRow({"State", {StateText(webhook), ColourOf(webhook)}});
  if (webhook.has_pause_time()) {
    table.AddRow(
        {"Paused",
         absl::StrCat(TimeText(webhook.pause_time(), tool.zone), " by ", Clean(webhook.paused_by()),
                      webhook.pause_note().empty() ? "" : ": ", Clean(webhook.pause_note()))});
  }
  if (webhook.has_failing_time()) {
    table.AddRow({"Failing", Since(tool, webhook.failing_time())});
  }
  table.AddRow({"URL", Clean(webhook.url())});
  table.AddRow({"Events", Joined(webhook.events())});
  table.AddRow({"Accounts", webhook.accounts().empty() ? "all" : Joined(webhook.accounts())});
  table.AddRow({"Kinds", webhook.kinds().empty() ? "all" : Joined(webhook.kinds())});
  table.AddRow({"Created", absl::StrCat(TimeText(webhook.create_time(), tool.zone), " by ",
                                        Clean(webhook.created_by()))});
  for (const v1::WebhookSecret& secret : webhook.secrets()) {
    table.AddRow(
        {"Secret",
         absl::StrCat("of ", TimeText(secret.create_time(), tool.zone),
                      secret.has_end_time() ? ", until " : "",
                      secret.has_end_time() ? TimeText(secret.end_time(), tool.zone) : "")});
  }
  table.AddRow(
      {"Last answer", webhook.has_last_answer_time()
                          ? absl::StrCat(Clean(webhook.last_answer()), ", ",
                                         AgeOf(webhook.last_answer_time(), tool.now()), " ago")
                          : "none yet"});
  table.AddRow({"Not taken", absl::StrCat(webhook.pending(), " pending, ", webhook.parked(),
                                          " parked", webhook.full() ? "; no more fit" : "")});
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
}

absl::StatusOr<int> Show(Tool& tool, const WebhookOptions& options) {
  if (!options.delivery.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(const v1::Delivery delivery,
                           tool.client().GetDelivery(options.delivery));
    if (tool.document()) {
      tool.PrintDocument(delivery);
    } else {
      tool.Print(absl::StrCat(StateText(delivery), " ", Clean(delivery.id()), ", ",
                              Clean(delivery.type()), ", ", delivery.attempts(), " attempts: ",
                              Clean(delivery.answer()), "\n", Clean(delivery.body()), "\n"));
    }
    return kDone;
  }
  HOSTQ_ASSIGN_OR_RETURN(const v1::Webhook webhook, tool.client().GetWebhook(options.name));
  if (tool.document()) {
    tool.PrintDocument(webhook);
    return kDone;
  }
  PrintWebhook(tool, webhook);
  v1::ListDeliveriesRequest request;
  request.set_webhook(options.name);
  request.set_page_size(options.limit);
  HOSTQ_ASSIGN_OR_RETURN(const auto response, tool.client().ListDeliveries(request));
  if (response.deliveries().empty()) return kDone;
  Table table({{"DELIVERY"},
               {"EVENT"},
               {"STATE"},
               {"AGE", Table::Fit::kKeep, true},
               {"ATTEMPTS", Table::Fit::kKeep, true},
               {"NEXT", Table::Fit::kKeep, true},
               {"ANSWER", Table::Fit::kCut}});
  for (const v1::Delivery& delivery : response.deliveries()) {
    const bool waits = delivery.state() == v1::Delivery::PENDING;
    const absl::Duration next = ToTime(delivery.next_attempt_time()) - tool.now();
    table.AddRow({Clean(delivery.id()),
                  Clean(delivery.type()),
                  {StateText(delivery), ColourOf(delivery)},
                  AgeOf(delivery.create_time(), tool.now()),
                  absl::StrCat(delivery.attempts()),
                  !waits                    ? ""
                  : next < absl::Seconds(1) ? "now"
                                            : FormatAge(next),
                  Clean(delivery.answer())});
  }
  tool.Print("\n");
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

absl::StatusOr<int> Delete(Tool& tool, const WebhookOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(const auto response, tool.client().DeleteWebhook(options.name));
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(absl::StrCat("webhook ", Clean(options.name), " is deleted, with ",
                            response.dropped_deliveries(), " deliveries that were not taken\n"));
  }
  return kDone;
}

absl::StatusOr<int> Pause(Tool& tool, const WebhookOptions& options) {
  v1::PauseWebhookRequest request;
  request.set_name(options.name);
  request.set_note(options.note);
  HOSTQ_ASSIGN_OR_RETURN(const v1::Webhook webhook, tool.client().PauseWebhook(request));
  if (tool.document()) {
    tool.PrintDocument(webhook);
  } else {
    tool.Print(absl::StrCat("webhook ", Clean(options.name),
                            " is paused; what happens meanwhile is sent when it goes on: hostq "
                            "webhook resume ",
                            Clean(options.name), "\n"));
  }
  return kDone;
}

absl::StatusOr<int> Resume(Tool& tool, const WebhookOptions& options) {
  v1::ResumeWebhookRequest request;
  request.set_name(options.name);
  request.set_skip(options.skip);
  HOSTQ_ASSIGN_OR_RETURN(const v1::Webhook webhook, tool.client().ResumeWebhook(request));
  if (tool.document()) {
    tool.PrintDocument(webhook);
  } else {
    tool.Print(absl::StrCat("webhook ", Clean(options.name), " goes on",
                            options.skip ? ", with what happens from now on" : "", "\n"));
  }
  return kDone;
}

absl::StatusOr<int> Test(Tool& tool, const WebhookOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(v1::Delivery delivery, tool.client().TestWebhook(options.name));
  const absl::Duration until = tool.clock.Monotonic() + kTestPatience;
  while (delivery.state() == v1::Delivery::PENDING && tool.clock.Monotonic() < until) {
    absl::SleepFor(kTestInterval);
    HOSTQ_ASSIGN_OR_RETURN(delivery, tool.client().GetDelivery(delivery.id()));
  }
  const bool taken = delivery.state() == v1::Delivery::DELIVERED;
  if (tool.document()) {
    tool.PrintDocument(delivery);
  } else if (taken) {
    tool.Print(absl::StrCat("taken: the receiver answered ", Clean(delivery.answer()), " to ",
                            Clean(delivery.id()), "\n"));
  } else {
    tool.Print(absl::StrCat(
        "not taken: ", delivery.answer().empty() ? "no answer yet" : Clean(delivery.answer()),
        "\n"));
  }
  return taken ? kDone : kCommandFailed;
}

absl::StatusOr<int> Replay(Tool& tool, const WebhookOptions& options) {
  v1::ReplayDeliveryRequest request;
  options.delivery.empty() ? request.set_webhook(options.name) : request.set_id(options.delivery);
  HOSTQ_ASSIGN_OR_RETURN(const auto response, tool.client().ReplayDelivery(request));
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(absl::StrCat(response.replayed(), " deliveries are sent again: hostq webhook show ",
                            Clean(options.name), "\n"));
  }
  return kDone;
}

CLI::App& AddOne(CLI::App& group, Tool& tool, const std::shared_ptr<WebhookOptions>& options,
                 absl::StatusOr<int> (*run)(Tool&, const WebhookOptions&), const std::string& name,
                 const std::string& description, const std::string& example) {
  CLI::App& leaf = AddLeaf(group, name, description, example);
  AddText(leaf, "NAME", options->name, "", "the webhook")->required();
  OnRun(leaf, tool, options, run);
  return leaf;
}

void AddMany(CLI::App& leaf, const std::string& name, std::vector<std::string>& values,
             const std::string& type, const std::string& help) {
  leaf.add_option(name, values, help)->type_name(type)->delimiter(',')->allow_extra_args(false);
}

void AddCreate(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<WebhookOptions>();
  CLI::App& create = AddOne(
      group, tool, options, Create, "create", "make a webhook and show its secret, once",
      "hostq webhook create billing --url https://billing.example/hostq --event command.finished\n"
      "hostq webhook create pager --url https://pager.example/in --event 'finding.*' --event "
      "alarm.raised\n"
      "hostq webhook create shop --url https://shop.example/hook --event command.finished "
      "--account '*.shop.example' --kind create_account");
  AddText(create, "--url", options->url, "URL", "where it is sent: https://HOST[:PORT]/PATH")
      ->required();
  AddMany(create, "--event", options->events, "EVENT",
          "what it is told, repeated or with commas; with `*`: command.finished, task.parked, "
          "finding.*, alarm.*, node.*");
  create.get_option("--event")->required();
  AddMany(create, "--account", options->accounts, "PATTERN",
          "only commands about these accounts, with `*`");
  AddMany(create, "--kind", options->kinds, "KIND", "only commands of these kinds, with `*`");
}

}  // namespace

void AddWebhookCommands(CLI::App& root, Tool& tool) {
  CLI::App& group =
      AddGroup(root, "webhook", "webhooks: receivers that are told over HTTP what has happened");
  AddCreate(group, tool);

  auto options = std::make_shared<WebhookOptions>();
  CLI::App& list =
      AddLeaf(group, "list", "all webhooks, with their last answer", "hostq webhook list");
  OnRun(list, tool, options, List);

  options = std::make_shared<WebhookOptions>();
  CLI::App& show =
      AddOne(group, tool, options, Show, "show", "a webhook and its deliveries, the newest first",
             "hostq webhook show billing");
  AddText(show, "--delivery", options->delivery, "ID", "this delivery, with what is sent");
  show.add_option("--limit", options->limit, "deliveries: 20 (the default), at most 1000")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""));

  options = std::make_shared<WebhookOptions>();
  AddOne(group, tool, options, Delete, "delete", "delete a webhook, with what was not sent",
         "hostq webhook delete billing");

  options = std::make_shared<WebhookOptions>();
  CLI::App& pause = AddOne(group, tool, options, Pause, "pause",
                           "send nothing until it is resumed; nothing is forgotten",
                           "hostq webhook pause billing --note 'moves to another host'");
  AddText(pause, "--note", options->note, "WHY", "kept with the webhook");

  options = std::make_shared<WebhookOptions>();
  CLI::App& resume =
      AddOne(group, tool, options, Resume, "resume",
             "go on with what has happened since it was paused", "hostq webhook resume billing");
  resume.add_flag("--skip", options->skip, "with what happens from now on instead");

  options = std::make_shared<WebhookOptions>();
  AddOne(group, tool, options, Test, "test",
         "send a delivery of the type \"test\", and say what is answered",
         "hostq webhook test billing");

  options = std::make_shared<WebhookOptions>();
  CLI::App& replay =
      AddOne(group, tool, options, Replay, "replay", "send again what was parked, or one delivery",
             "hostq webhook replay billing");
  AddText(replay, "--delivery", options->delivery, "ID", "this one, whatever became of it");

  options = std::make_shared<WebhookOptions>();
  CLI::App& rotate =
      AddOne(group, tool, options, Rotate, "rotate",
             "give a webhook a second secret; with the first one it is signed a little longer",
             "hostq webhook rotate billing --keep 2h");
  const auto keep = [options](const std::string& text) {
    const auto span =
        text == "0" || text == "0s" ? std::optional(absl::ZeroDuration()) : ParseSpan(text);
    if (!span) Reject("--keep", text, "a duration: use 2h, 1d, or 0");
    options->keep = *span;
  };
  rotate
      .add_option_function<std::string>("--keep", keep,
                                        "how long both are used: 24h (the default), at most 30d")
      ->type_name("DURATION");
}

}  // namespace hostq::cli
