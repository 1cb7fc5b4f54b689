#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/actions/action.h"
#include "agent/journal/journal.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::agent {

// What a node keeps is what does not survive a reboot: the shares it mounts, the addresses on lo,
// and what it balances; and its accounts, which do, but are changed by hand. Each by its resource
// key ("share/home", "address/203.0.113.10", "balancer/services", "account/example.com"), with the
// work that makes it so. And what it was able to do: the preflight that it passed, to be gone
// through again.

// What is to be kept once `work` has succeeded on a node with these roles, which keeps `kept`.
std::vector<std::pair<std::string, KeptItem>> KeptAfter(const v1::Work& work, const Roles& roles,
                                                        const Kept& kept);
// Whether `item` is older than what is kept: a balancing table may come late.
bool IsOutdated(const KeptItem& item, const KeptItem& kept);
// What is not to be kept any more as soon as `work` has been accepted, so that nothing puts back
// what it takes away.
std::vector<std::string> NotKeptSince(const v1::Work& work, const Roles& roles);
// What `work` changes, while it runs, of what is kept under another key than its own.
std::set<std::string> ChangedBesides(const v1::Work& work, const Roles& roles);
// Which steps of its work look after an item, by name; empty: all. Of an account only its user, and
// where the limits live its quota: the rest is on a file server, or kept by itself.
std::set<std::string> StepsFor(const KeptItem& item);
// The work that only tells what differs of the item's quota; nothing if there is none to look at.
std::optional<KeptItem> QuotaLook(const KeptItem& item);
// What is kept under this key is the preflight that the node passed last.
inline constexpr char kPreflightKey[] = "node/preflight";
// That preflight, with the shares and addresses that are kept now. Nothing if the node has never
// passed one.
std::optional<KeptItem> PreflightLook(const Kept& kept);
// The work that takes an item away. Nothing if the item's own cannot be read.
std::optional<KeptItem> Undo(const KeptItem& item);

}  // namespace hostq::agent
