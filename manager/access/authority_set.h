#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/crypto/identity.h"
#include "common/crypto/secret.h"
#include "manager/access/certificate_authority.h"

namespace hostq::manager {

// The authorities of a cluster, in STATE_DIR/ca, and how one takes the place of another, in steps
// that can each be undone:
//
//   prepare   another authority is there and trusted; it issues nothing yet    (next)
//   activate  it issues; the former is still trusted                           (issuing, old)
//   retire    the former is trusted no more; kept so that it can be again      (retired)
//
// Which one is what stands in STATE_DIR/ca/authorities ("ROLE STEM" lines); without that file
// "ca" (ca.pem, ca.key) issues, and there is no other. That file alone changes in a step, by a
// rename: after a crash the step was made or was not. All else in the folder follows from it and is
// made again by Open() or Maintain(): trusted.pem (all that are trusted) and server.pem.
//
// Or the certificates come from outside (the file says "outside"): then the folder has
// outside-ca.pem, outside-server.pem and outside-server.key, which whoever issues replaces, and
// Maintain() takes over what fits together.
//
// Thread-safe. What changes something blocks on the disk, one at a time; what reads does not.
class AuthoritySet {
 public:
  enum class Role { kIssuing, kNext, kOld, kRetired };
  enum class Step { kPrepare, kActivate, kRetire };

  struct Member {
    Role role = Role::kIssuing;
    std::string stem;
    std::shared_ptr<const CertificateAuthority> authority;
  };

  // Errors: as CertificateAuthority::Open; FAILED_PRECONDITION too for a file "authorities" that
  // makes no sense, and if what came from outside does not fit together.
  static absl::StatusOr<std::unique_ptr<AuthoritySet>> Open(const std::string& state_dir,
                                                            const std::string& cluster_name,
                                                            absl::Time now);

  // For a new state directory. Nothing that exists is overwritten. `key_pem` is the authority's.
  // Errors: those of CertificateAuthority::Import.
  static absl::Status CreateImported(const std::string& state_dir, absl::string_view ca_pem,
                                     const SecretString& key_pem, absl::Time now);
  // The same without an authority of the manager's own. `server_pem`: its certificate, then those
  // between it and the authority. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT: not of the authority,
  // not for servers, without the name hostq-manager, expired, another key's).
  static absl::Status CreateOutside(const std::string& state_dir, const std::string& ca_pem,
                                    const std::string& server_pem, const SecretString& key_pem,
                                    absl::Time now);
  // Whether there is one in the state directory.
  static bool Exists(const std::string& state_dir);

  bool built_in() const { return !outside_; }
  // What signs now. Null if certificates come from outside.
  std::shared_ptr<const CertificateAuthority> issuing() const;
  std::vector<Member> members() const;
  // What new nodes know the cluster by: the pin of the one that issues, or of the first from
  // outside.
  std::string pin() const;
  // All that are trusted, the issuing one first.
  std::string trusted_pem() const;
  std::vector<std::string> trusted_pins() const;
  // For WatchedServerCredentials.
  std::string trusted_path() const { return dir_ + "/trusted.pem"; }
  std::string server_path() const { return dir_ + "/server.pem"; }

  // --- steps ---
  // How many steps were made since Open(). Whether a step may be made depends on what is there, and
  // is decided elsewhere: who decides notes the turn first, and the step is refused if another one
  // was made in between.
  using Turn = uint64_t;
  Turn turn() const;
  // Each: FAILED_PRECONDITION (WRONG_ROTATION_STEP: not the one that comes next, or `turn` is over;
  // NO_BUILT_IN_AUTHORITY), or what the system said about the files.
  absl::Status Prepare(absl::Time now);
  // With one that was made elsewhere. Errors too: those of CertificateAuthority::Import,
  // INVALID_ARGUMENT if it is one of those that are there.
  absl::Status PrepareImported(absl::string_view ca_pem, const SecretString& key_pem,
                               absl::Time now);
  absl::Status Activate(Turn turn, absl::Time now);
  absl::Status Retire(Turn turn);
  // Takes the last step back, and says which that was.
  absl::StatusOr<Step> Undo(Turn turn);
  // Whether this is the step that comes next; whether there is one to be taken back.
  absl::Status Check(Step step) const;
  absl::Status CheckUndo() const;
  Step next_step() const;
  // Nothing: there is none to be taken back.
  std::optional<Step> last_step() const;

  // --- files that listeners watch ---
  // Brings trusted.pem and server.pem up to date: once before listening, then every second or so.
  // The server's certificate is made again at half of its life, for other addresses, and by another
  // authority. True: something was changed. Errors: what was changed outside and does not fit
  // together (what was there before stays), or what the system said about the files.
  absl::StatusOr<bool> Maintain(const std::vector<std::string>& ip_addresses, absl::Time now);

 private:
  AuthoritySet(std::string dir, std::string cluster_name)
      : dir_(std::move(dir)), cluster_name_(std::move(cluster_name)) {}

  // Replaced as a whole, so that who reads waits for no disk.
  struct State {
    std::vector<Member> members;
    std::string outside_ca_pem;  // from outside: what was taken over last
    Turn turn = 0;
  };
  std::shared_ptr<const State> state() const;
  void Set(State state);

  absl::Status LoadMembers(absl::string_view text, absl::Time now);
  absl::Status CheckTurn(Turn turn) const;
  std::string FreeStem() const;
  absl::Status AddNext(const std::string& stem) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  // Makes these the members; what is no longer among them is removed.
  absl::Status Commit(std::vector<Member> members) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  absl::StatusOr<bool> WriteTrusted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  absl::StatusOr<bool> TakeOutside(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);

  const std::string dir_;
  const std::string cluster_name_;
  bool outside_ = false;
  // Held by what changes something, while it works on the disk; before mutex_.
  Mutex writing_;
  std::string refused_ ABSL_GUARDED_BY(writing_);  // from outside, the last time (its hash)
  mutable Mutex mutex_;
  std::shared_ptr<const State> state_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const State>();
};

// "prepare", "activate", "retire"; "issuing", "next", "old", "retired".
absl::string_view NameOf(AuthoritySet::Step step);
absl::string_view NameOf(AuthoritySet::Role role);

}  // namespace hostq::manager
