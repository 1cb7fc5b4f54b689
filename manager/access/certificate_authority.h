#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "common/crypto/secret.h"

namespace hostq::manager {

// Long enough that no cluster meets it by surprise; rotation does not wait for it.
inline constexpr absl::Duration kAuthorityLife = absl::Hours(24 * 3650);
inline constexpr absl::Duration kServerCertificateLife = absl::Hours(24 * 365);
inline constexpr absl::Duration kNodeCertificateLife = absl::Hours(24 * 90);

// A certificate that was just signed.
struct IssuedCertificate {
  std::string pem;
  std::string serial;
  absl::Time not_before;
  absl::Time not_after;
  // The pin of the authority that signed it.
  std::string authority;
  // CertificateInfo::hash.
  std::string hash;
};

// A certificate authority of the cluster: DIR/STEM.pem and DIR/STEM.key (mode 0600). The first one
// is STATE_DIR/ca/ca.pem; which one issues and which are trusted: AuthoritySet. Immutable after
// Load(); thread-safe, except that one ServerIdentity() runs at a time.
class CertificateAuthority {
 public:
  // Makes the folder, the key (or goes on with ca.key if that is all there is) and a certificate
  // for it. All belongs to the user who runs this, who must be the one that runs the manager.
  // Blocks on the disk. Errors: ALREADY_EXISTS if there is one (it is never overwritten: every node
  // would be lost), and what the system said about the files.
  static absl::Status Create(const std::string& state_dir, absl::string_view cluster_name,
                             absl::Time now);

  // Blocks on the disk. Errors: NOT_FOUND (no authority: hostq-manager init makes it),
  // FAILED_PRECONDITION (others may read the key; key and certificate do not belong together; no
  // authority's certificate; expired), and what the system said about the files.
  static absl::StatusOr<std::unique_ptr<CertificateAuthority>> Open(const std::string& state_dir,
                                                                    absl::Time now);

  // The same for any of a folder, without a look at whether it has expired.
  static absl::StatusOr<std::unique_ptr<CertificateAuthority>> Load(const std::string& dir,
                                                                    const std::string& stem);
  // A new key and a certificate that it has signed itself, in DIR/STEM.key and .pem, the key first.
  // Blocks on the disk. Errors: what the system said about the files.
  static absl::Status Make(const std::string& dir, const std::string& stem,
                           absl::string_view common_name, absl::Time now);
  // An authority that was made elsewhere: a company's root, or (better) one that the company's root
  // has signed for hostq alone. Of several certificates in `ca_pem` the first one is taken. Blocks
  // on the disk. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT: no authority's certificate, not valid
  // now, a key that is not its own, or not on P-256), what the system said about the files.
  static absl::Status Import(const std::string& dir, const std::string& stem,
                             absl::string_view ca_pem, const SecretString& key_pem, absl::Time now);
  // Whether Import would take it. Writes nothing.
  static absl::Status CheckImport(absl::string_view ca_pem, const SecretString& key_pem,
                                  absl::Time now);

  const std::string& ca_pem() const { return ca_pem_; }
  // "sha256:HEX": what a joining node is given to know the authority by.
  const std::string& pin() const { return pin_; }
  absl::Time not_before() const { return not_before_; }
  absl::Time not_after() const { return not_after_; }
  // "CN = prod hostq authority".
  const std::string& subject() const { return subject_; }
  // It was signed by another one.
  bool signed_by_another() const { return signed_by_another_; }

  // What the manager's listeners show: a certificate for "hostq-manager", localhost and these
  // addresses, then the authority's. Kept in STATE_DIR/ca/server.pem (mode 0600) and used again
  // until half of its life is over or the addresses change. Blocks on the disk.
  absl::StatusOr<TlsIdentity> ServerIdentity(const std::vector<std::string>& ip_addresses,
                                             absl::Time now) const;

  // A certificate that says `node` and is for clients, for the key of `csr_pem`; nothing else in
  // the request counts. Does not block. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT) for the
  // request, see ParseCertificateRequest(); FAILED_PRECONDITION if the authority expires before
  // `now`.
  absl::StatusOr<IssuedCertificate> IssueNode(absl::string_view csr_pem, const NodeIdentity& node,
                                              absl::Duration life, absl::Time now) const;

  // The same for an administrator (URI hostq://admin/NAME).
  absl::StatusOr<IssuedCertificate> IssueAdministrator(absl::string_view csr_pem,
                                                       absl::string_view name, absl::Duration life,
                                                       absl::Time now) const;

 private:
  absl::StatusOr<IssuedCertificate> Issue(absl::string_view csr_pem, absl::string_view name,
                                          std::string uri, absl::Duration life,
                                          absl::Time now) const;

  CertificateAuthority(std::string dir, std::string ca_pem, PrivateKey key)
      : dir_(std::move(dir)), ca_pem_(std::move(ca_pem)), key_(std::move(key)) {}

  const std::string dir_;
  const std::string ca_pem_;
  const PrivateKey key_;
  std::string pin_;
  absl::Time not_before_;
  absl::Time not_after_;
  std::string subject_;
  bool signed_by_another_ = false;
};

}  // namespace hostq::manager
