#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/link/identity.h"
#include "common/crypto/key.h"

namespace hostq::agent {

// How an identity comes to STATE_DIR/identity: it is put together in a folder beside it, then takes
// the other's place in one step; after a crash at any moment one of the two is there, whole. Who
// installs, and who loads (identity.h), has STATE_DIR locked meanwhile: a node may join anew while
// its agent runs. All block on the disk. Errors: what the system says.

// Where it is put together: each in a folder of its own, because a node may join anew while its
// agent runs, and a token is for one key.
enum class Pending { kJoin, kRenewal };
std::string PendingDirectory(const std::string& state_dir, Pending pending);

// Makes `path`, 0700, if it is not there.
absl::Status MakeDirectory(const std::string& path);

// The key of an earlier try in DIRECTORY/node.key, or a new one that is on the disk before anybody
// else hears of it: after a lost answer the same key asks again.
absl::StatusOr<PrivateKey> PendingKey(const std::string& directory);

// Removes a whole identity from there, if there is one: of what was replaced just before a crash,
// or of what was about to be installed. Its key is not used again.
void DropLeftovers(const std::string& directory);

// The same where joins are put together, and only of what the installed identity has replaced: one
// that began before it. A younger one was about to be installed, and its token is for its key.
void DropReplaced(const std::string& state_dir);

// Whether what the manager answered is a certificate for `key` and of one of the authorities in
// `trusted_pem`. Errors: DATA_LOSS (INTERNAL).
absl::Status CheckIssued(const std::string& certificate_pem, const std::string& trusted_pem,
                         const PrivateKey& key);

// Writes all files of `identity` to the pending folder, and installs that, whatever is installed.
absl::Status InstallJoined(const std::string& state_dir, const Identity& identity);
// The same, if what is installed is still `former`. Errors too: ABORTED, another one has been
// installed meanwhile, and stays.
absl::Status InstallRenewed(const std::string& state_dir, const Identity& identity,
                            const Identity& former);

// Replaces the file with the authorities of `identity` alone, and where it asks for another. What
// is trusted must be so before it is needed. Errors too: ABORTED, as above.
absl::Status InstallTrust(const std::string& state_dir, const Identity& identity,
                          const std::string& ca_pem, const std::string& enrollment_address);

// Whether the two have an authority in common: they are of one cluster.
bool ShareAuthority(const std::string& one_pem, const std::string& other_pem);

}  // namespace hostq::agent
