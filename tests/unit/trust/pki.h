#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"

namespace hostq {

// An authority in memory, for tests.
class TestPki {
 public:
  explicit TestPki(absl::Time now = absl::Now()) : now_(now), key_(PrivateKey::Generate()) {
    auto pem = MakeAuthorityCertificate(key_, "test authority", now - absl::Hours(1000),
                                        now + absl::Hours(1000));
    HOSTQ_CHECK(pem.ok());
    ca_pem_ = *pem;
  }

  const std::string& ca_pem() const { return ca_pem_; }
  const PrivateKey& key() const { return key_; }
  std::string pin() const { return key_.public_key().Hash(); }

  // Valid now, with the name of the manager: to be changed.
  CertificateSpec ServerSpec() const {
    CertificateSpec spec;
    spec.use = CertificateSpec::Use::kServer;
    spec.common_name = std::string(kManagerName);
    spec.dns_names = {std::string(kManagerName)};
    spec.not_before = now_ - absl::Hours(1);
    spec.not_after = now_ + absl::Hours(1);
    return spec;
  }
  CertificateSpec NodeSpec(const std::string& name, int64_t incarnation = 1) const {
    CertificateSpec spec = ServerSpec();
    spec.use = CertificateSpec::Use::kClient;
    spec.common_name = name;
    spec.dns_names.clear();
    spec.uris = {FormatNodeUri({name, incarnation})};
    return spec;
  }

  TlsIdentity Issue(const CertificateSpec& spec) const {
    const PrivateKey key = PrivateKey::Generate();
    const auto pem = IssueCertificate(ca_pem_, key_, key.public_key(), spec);
    HOSTQ_CHECK(pem.ok());
    return {absl::StrCat(*pem, ca_pem_), key.ToPem()};
  }

 private:
  const absl::Time now_;
  const PrivateKey key_;
  std::string ca_pem_;
};

}  // namespace hostq
