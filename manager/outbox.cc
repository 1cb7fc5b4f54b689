#include "manager/outbox.h"

#include <utility>
#include <vector>

#include "common/base/error.h"
#include "manager/api/all_findings.h"

namespace hostq::manager {
namespace {

absl::StatusOr<AddressRules> RulesOf(const ManagerConfig& config) {
  std::vector<AddressRange> allow;
  for (const std::string& text : config.webhooks.allow) {
    absl::StatusOr<AddressRange> range = AddressRange::Parse(text);
    if (!range.ok()) {
      return InvalidField(Reason::kInvalidArgument, "webhooks.allow", range.status().message());
    }
    allow.push_back(*std::move(range));
  }
  return AddressRules(std::move(allow), [quorum = config.cluster.quorum_address] {
    // Also what is translated to this machine: others know it by this address.
    std::vector<std::string> own = InterfaceAddresses();
    own.push_back(quorum);
    return own;
  });
}

Notices::Rules NoticeRules(const ManagerConfig& config) {
  const ManagerConfig::Notify& notify = config.notify;
  Notices::Rules rules;
  rules.mail = !notify.mail_to.empty();
  rules.settle = notify.settle;
  rules.quiet_start = notify.quiet_start;
  rules.quiet_end = notify.quiet_end;
  rules.zone = absl::LocalTimeZone();
  for (const std::string& name : notify.urgent) {
    if (const std::optional<Reason> reason = ReasonFromName(name)) rules.urgent.insert(*reason);
  }
  rules.mails_per_hour = static_cast<int>(notify.mails_per_hour);
  rules.cluster = config.cluster.name;
  return rules;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Outbox>> Outbox::Start(const ManagerConfig& config,
                                                      const Backend& backend, EventHub& hub) {
  HOSTQ_ASSIGN_OR_RETURN(AddressRules rules, RulesOf(config));
  HttpClient::Options http;
  http.ca_cert = config.webhooks.ca_cert;
  HOSTQ_ASSIGN_OR_RETURN(std::unique_ptr<HttpClient> client, HttpClient::Start(rules, http));
  std::unique_ptr<Outbox> outbox(new Outbox);
  outbox->sender_ =
      std::make_unique<Sender>(backend.engine, backend.cluster, backend.clock, std::move(client));
  Sender& sender = *outbox->sender_;
  const auto added = [&sender] { sender.Wake(); };
  outbox->feed_ = std::make_unique<WebhookFeed>(WebhookFeed::Parts{
      backend.engine, backend.cluster, backend.store, backend.workers, hub, config.cluster.name,
      added, [&sender](absl::Duration delay, std::function<void()> job) {
        sender.After(delay, std::move(job));
      }});
  WebhookFeed& feed = *outbox->feed_;
  sender.OnTaken([&feed] { feed.Poke(); });
  outbox->service_ = std::make_unique<WebhookService>(
      backend, std::move(rules),
      WebhookService::Hooks{added, [&feed] { feed.Poke(); }, config.cluster.name});
  std::unique_ptr<Mailer> mailer;
  if (!config.notify.mail_to.empty()) {
    Mailer::Options mail;
    mail.to = config.notify.mail_to;
    mail.from = config.notify.mail_from;
    mail.sendmail = config.notify.sendmail;
    mailer = std::make_unique<Mailer>(std::move(mail));
  }
  Notifier::Parts parts{
      backend.engine,
      backend.cluster,
      backend.clock,
      [&engine = backend.engine, &cluster = backend.cluster](const Queue& queue, const Now& now) {
        return AllFindings(engine, cluster, queue, now, false);
      },
      added,
      config.cluster.name};
  outbox->notifier_ = std::make_unique<Notifier>(
      parts, NoticeRules(config), backend.cluster.notices().All(), std::move(mailer));
  return outbox;
}

Outbox::~Outbox() { Stop(); }

void Outbox::Stop() {
  if (notifier_ != nullptr) notifier_->Stop();
  if (sender_ != nullptr) sender_->Stop();
}

}  // namespace hostq::manager
