// The verdict about an account, on one node and everywhere. What is worse comes first: wrong,
// changing, unknown, right.
#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/id.h"
#include "common/base/text.h"
#include "manager/cluster/account_status.h"
#include "manager/cluster/draft.h"

namespace hostq::manager {
namespace {

using Verdict = v1::AccountVerdict;

// So many nodes are named in a sentence.
constexpr size_t kNamed = 3;

Verdict Make(Verdict::State state, std::string summary, std::string remedy = "") {
  Verdict verdict;
  verdict.set_state(state);
  verdict.set_summary(std::move(summary));
  verdict.set_remedy(std::move(remedy));
  return verdict;
}

std::string Ago(absl::Time time, absl::Time now) {
  return absl::StrCat(FormatAge(now - time), " ago");
}

std::string PutRight(const storage::v1::Account& row) {
  return absl::StrCat("hostq account resync ", row.account().domain(), " --apply");
}

std::string LookAgain(const storage::v1::Account& row) {
  return absl::StrCat("hostq account check ", row.account().domain());
}

// Something that an administrator has to see to, and what is to be done about it.
std::string RemedyOf(const AccountPlace& place, const storage::v1::Account& row,
                     const v1::Step& step) {
  if (step.reason() == v1::Reason::DIFFERS || step.reason() == v1::Reason::CODE_UNSPECIFIED) {
    return PutRight(row);
  }
  Finding about;
  about.node = place.node;
  about.evidence = Evidence(step.evidence().begin(), step.evidence().end());
  return RemedyAbout(static_cast<Reason>(step.reason()), about);
}

Verdict OfDifferences(const AccountPlace& place, const storage::v1::Account& row,
                      const AccountHistory& history, absl::Time now) {
  const v1::Step& first = history.differences.front();
  const size_t more = history.differences.size() - 1;
  return Make(
      Verdict::WRONG,
      absl::StrCat(first.name(), ": ", first.message(),
                   more == 0 ? "" : absl::StrCat("; and ", more, " more"), " (seen ",
                   Ago(history.look->time, now), ")"),
      absl::StrCat(RemedyOf(place, row, first), "\nif it was mended since: ", LookAgain(row)));
}

Verdict OfFailure(const storage::v1::Account& row, const AccountHistory::Failure& failure,
                  absl::Time now) {
  const bool removal = failure.kind == "create_account" || failure.kind == "delete_account";
  std::string why;
  if (failure.reason != Reason::kNone) why = absl::StrCat(", ", NameOf(failure.reason));
  if (!failure.message.empty()) absl::StrAppend(&why, ": ", failure.message);
  return Make(
      Verdict::WRONG,
      absl::StrCat(failure.kind, " ", FormatId(failure.command), " ended ", Ago(failure.time, now),
                   " as ", NameOf(failure.outcome), why),
      removal ? absl::StrCat("hostq account delete ", row.account().domain()) : PutRight(row));
}

// Nothing is known to be wrong; whether enough is known.
Verdict OfKnowledge(const AccountPlace& place, const storage::v1::Account& row,
                    const AccountHistory& history, absl::Time now) {
  const auto unknown = [](std::string summary, std::string remedy) {
    return Make(Verdict::UNKNOWN, std::move(summary), std::move(remedy));
  };
  const std::string show = absl::StrCat("hostq node show ", place.node);
  if (!place.absences.empty()) {
    const Finding& absence = place.absences.front();
    return unknown(absence.summary, absence.remedy);
  }
  if (!place.joined) return unknown("it has not joined yet", show);
  if (!place.connected) {
    return unknown(absl::StrCat("it is not connected since ", FormatAge(now - place.since),
                                "; what is known of it is from before"),
                   show);
  }
  if (!place.admitted) return unknown("it has not passed its preflight yet", show);
  const bool has_part = place.app || place.storage;
  if (has_part && !history.look) {
    return unknown("it is not known to have been given the account", PutRight(row));
  }
  if (place.more_deviations) {
    return unknown("more is wrong with it than it can tell at once",
                   "hostq stuck --node " + place.node);
  }
  return Make(Verdict::RIGHT, has_part ? absl::StrCat("as it should be (looked at ",
                                                      Ago(history.look->time, now), ")")
                                       : "as it should be");
}

// "web1, web2, web3 and 4 more".
std::string Names(const std::vector<std::string>& nodes) {
  const size_t named = std::min(nodes.size(), kNamed);
  const std::string first =
      absl::StrJoin(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(named), ", ");
  return nodes.size() == named ? first
                               : absl::StrCat(first, " and ", nodes.size() - named, " more");
}

std::string Everywhere(absl::Span<const v1::AccountOnNode> nodes) {
  if (nodes.size() == 1) return nodes.front().node();
  return absl::StrCat("all ", nodes.size(), " nodes");
}

}  // namespace

Verdict JudgeNode(const AccountPlace& place, const storage::v1::Account& row,
                  const AccountHistory& history, absl::Time now) {
  const bool going = row.account().state() == v1::Account::DELETING;
  const std::vector<Finding> deviations = StandingDeviations(place, row, history);
  if (!deviations.empty() && !going) {
    return Make(Verdict::WRONG, deviations.front().summary, deviations.front().remedy);
  }
  const AccountPlace::Unfinished* moving = nullptr;
  for (const AccountPlace::Unfinished& each : place.unfinished) {
    if (each.only_looks) continue;
    if (moving == nullptr) moving = &each;
    if (!each.finding.stuck) continue;
    return Make(Verdict::WRONG,
                absl::StrCat(each.finding.kind, " ", FormatId(each.finding.command),
                             " does not move: ", each.finding.summary),
                each.finding.remedy);
  }
  // What is under way may make up for what was.
  if (moving != nullptr) {
    return Make(Verdict::CHANGING,
                absl::StrCat(moving->finding.kind, " ", FormatId(moving->finding.command), ": ",
                             moving->finding.summary));
  }
  if (history.failure && (place.app || place.storage)) {
    return OfFailure(row, *history.failure, now);
  }
  if (going) return Make(Verdict::CHANGING, "the account is being deleted");
  if (!history.differences.empty()) return OfDifferences(place, row, history, now);
  return OfKnowledge(place, row, history, now);
}

Verdict JudgeAccount(const storage::v1::Account& row, absl::Span<const v1::AccountOnNode> nodes,
                     bool unfinished, absl::Time now) {
  const v1::Account& account = row.account();
  const auto in = [&](Verdict::State state) {
    std::vector<std::string> names;
    for (const v1::AccountOnNode& node : nodes) {
      if (node.verdict().state() == state) names.push_back(node.node());
    }
    return names;
  };
  // The first one in this state speaks for the others.
  const auto of = [&](Verdict::State state, const std::vector<std::string>& names,
                      absl::string_view is) {
    const auto first = absl::c_find_if(
        nodes, [&](const v1::AccountOnNode& node) { return node.verdict().state() == state; });
    return Make(state,
                absl::StrCat(account.domain(), " ", is, " ",
                             names.size() == nodes.size() ? Everywhere(nodes) : Names(names), ": ",
                             names.size() > 1 ? absl::StrCat(first->node(), ": ") : "",
                             first->verdict().summary()),
                first->verdict().remedy());
  };
  if (const auto names = in(Verdict::WRONG); !names.empty()) {
    return of(Verdict::WRONG, names, "is not right on");
  }
  const std::string remove = absl::StrCat("hostq account delete ", account.domain());
  if (!unfinished && account.state() == v1::Account::CREATING) {
    return Make(
        Verdict::WRONG,
        absl::StrCat(account.domain(), " was not made everywhere, and nothing is under way"),
        remove);
  }
  if (!unfinished && account.state() == v1::Account::DELETING) {
    return Make(
        Verdict::WRONG,
        absl::StrCat(account.domain(), " was not deleted everywhere, and nothing is under way"),
        remove);
  }
  if (unfinished) {
    const auto names = in(Verdict::CHANGING);
    if (!names.empty()) return of(Verdict::CHANGING, names, "is being changed on");
    return Make(Verdict::CHANGING, absl::StrCat(account.domain(), " is being changed"));
  }
  if (nodes.empty()) {
    return Make(Verdict::UNKNOWN,
                absl::StrCat("no node should have ", account.domain(), ", and none has it"),
                "hostq node list");
  }
  if (const auto names = in(Verdict::UNKNOWN); !names.empty()) {
    return of(Verdict::UNKNOWN, names, "may be right, and is not known to be so on");
  }
  absl::Time oldest = absl::InfiniteFuture();
  for (const v1::AccountOnNode& node : nodes) {
    if (node.has_look_time()) oldest = std::min(oldest, FromTimestamp(node.look_time()));
  }
  return Make(Verdict::RIGHT,
              absl::StrCat(account.domain(), " is right on ", Everywhere(nodes),
                           row.suspended() ? ", suspended" : "",
                           oldest == absl::InfiniteFuture()
                               ? ""
                               : absl::StrCat(" (looked at ", Ago(oldest, now), ")")));
}

}  // namespace hostq::manager
