// What anybody may send to Renew: a certificate, a request for another, a pin and a signature, each
// good, of somebody else, changed, or anything at all. Only who has the key of a node's certificate
// of this cluster gets one, for the node that the certificate names and the key that was signed.
#include <sys/stat.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "input.h"
#include "manager/access/authority_set.h"
#include "manager/access/certificate_store.h"
#include "manager/access/renewer.h"

namespace {

using namespace hostq;
using namespace hostq::manager;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// Says what it is told to, and remembers what it was asked.
class FakeStore final : public CertificateStore {
 public:
  absl::Status MayRenew(const ShownCertificate& shown, bool beyond_grace,
                        absl::string_view /*source*/) override {
    asked.push_back(shown);
    beyond = beyond_grace;
    if (!refuses) return absl::OkStatus();
    return MakeError(absl::StatusCode::kPermissionDenied, Reason::kNodeBanned, "banned");
  }
  absl::Status Issued(const ShownCertificate& certificate, absl::string_view /*source*/) override {
    issued.push_back(certificate);
    return absl::OkStatus();
  }

  bool refuses = false;
  bool beyond = false;
  std::vector<ShownCertificate> asked, issued;
};

struct Holder {
  PrivateKey key;
  std::string certificate_pem;
};

// Made once: keys and certificates take longer than everything else here.
class World {
 public:
  World() {
    const char* folder = getenv("TMPDIR");
    std::string directory = std::string(folder != nullptr ? folder : "/tmp") + "/renewal.XXXXXX";
    HOSTQ_CHECK(mkdtemp(directory.data()) != nullptr);
    const absl::Time made = kNow - absl::Hours(24 * 365);
    HOSTQ_CHECK(CertificateAuthority::Create(directory, "test", made).ok());
    auto opened = AuthoritySet::Open(directory, "test", kNow);
    HOSTQ_CHECK(opened.ok());
    authorities = *std::move(opened);
    const std::string other = directory + "/other";
    HOSTQ_CHECK(mkdir(other.c_str(), 0700) == 0);
    HOSTQ_CHECK(CertificateAuthority::Create(other, "test", made).ok());
    auto stranger = CertificateAuthority::Open(other, kNow);
    HOSTQ_CHECK(stranger.ok());
    const auto own = authorities->issuing();
    const absl::Duration life = absl::Hours(24);
    const auto add = [&](const auto& issue) {
      const PrivateKey key = PrivateKey::Generate();
      const absl::StatusOr<IssuedCertificate> issued = issue(MakeCertificateRequest(key, "web1"));
      HOSTQ_CHECK(issued.ok());
      holders.push_back({key, issued->pem});
    };
    const auto node = [&](const CertificateAuthority& authority, absl::Time from) {
      add([&](const std::string& wanted) {
        return authority.IssueNode(wanted, {"web1", 3}, life, from);
      });
    };
    node(*own, kNow);
    node(*own, kNow - absl::Hours(72));        // has expired
    node(*own, kNow - absl::Hours(24 * 200));  // long ago
    node(**stranger, kNow);
    node(*own, kNow + absl::Hours(72));  // not valid yet
    add([&](const std::string& wanted) {
      return own->IssueAdministrator(wanted, "alice", life, kNow);
    });
    csr = MakeCertificateRequest(PrivateKey::Generate(), "web1");
  }

  std::unique_ptr<AuthoritySet> authorities;
  // Of these the first three are nodes of the cluster.
  std::vector<Holder> holders;
  static constexpr size_t kGood = 3;
  std::string csr;
};

// The text, or with some bytes of it changed, or another one.
std::string Changed(std::string text, fuzz::Input& input) {
  const uint8_t how = input.Byte() % 4;
  if (how == 0) return text;
  if (how == 1) return std::string(input.Chunk());
  for (int i = input.Byte() % 4; i >= 0 && !text.empty(); --i) {
    const size_t low = input.Byte();
    const size_t place = (low | static_cast<size_t>(input.Byte()) << 8) % text.size();
    if (how == 2) text[place] = static_cast<char>(text[place] ^ input.Byte());
    if (how == 3) text.erase(place, input.Byte());
  }
  return text;
}

void CheckRenewal(const World& world, const RenewalRequest& request, const Holder& signer,
                  bool of_cluster, const FakeStore& store, const Renewal& renewal) {
  HOSTQ_CHECK(of_cluster && !store.refuses);
  HOSTQ_CHECK(request.authority_pin == world.authorities->pin());
  HOSTQ_CHECK(signer.key.public_key().Verifies(RenewalText(request.authority_pin, request.csr_pem),
                                               request.signature));
  HOSTQ_CHECK(store.asked.size() == 1 && store.issued.size() == 1);
  const auto shown = ParseCertificate(signer.certificate_pem);
  const auto next = ParseCertificate(renewal.certificate_pem);
  const auto wanted = ParseCertificateRequest(request.csr_pem);
  HOSTQ_CHECK(shown.ok() && next.ok() && wanted.ok());
  HOSTQ_CHECK(store.asked[0].serial == shown->serial && store.issued[0].serial == next->serial);
  HOSTQ_CHECK(next->uris == shown->uris && next->key_hash == wanted->key.Hash());
  HOSTQ_CHECK(renewal.ca_pem == world.authorities->trusted_pem());
  HOSTQ_CHECK(VerifyCertificate(renewal.certificate_pem, renewal.ca_pem,
                                CertificateSpec::Use::kClient, kNow)
                  .ok());
  HOSTQ_CHECK(store.beyond == (kNow > shown->not_after + kRenewalGrace));
}

void CheckRefusal(const absl::Status& status, const FakeStore& store) {
  HOSTQ_CHECK(store.issued.empty());
  fuzz::CheckText(status.message());
  switch (ReasonOf(status)) {
    case Reason::kNodeBanned:
      HOSTQ_CHECK(store.refuses && store.asked.size() == 1);
      break;
    case Reason::kInvalidArgument:
    case Reason::kRequestTooLarge:
    case Reason::kUnauthenticated:
      HOSTQ_CHECK(store.asked.empty());
      break;
    default:
      HOSTQ_CHECK(false);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const World& world = *new World;
  fuzz::Input input(data, size);
  const size_t who = input.Byte() % world.holders.size();
  const Holder& holder = world.holders[who];
  const Holder& signer = world.holders[input.Byte() % world.holders.size()];
  FakeStore store;
  store.refuses = input.Byte() % 4 == 3;
  RenewalRequest request;
  request.certificate_pem = Changed(holder.certificate_pem, input);
  request.csr_pem = Changed(world.csr, input);
  request.authority_pin = Changed(world.authorities->pin(), input);
  request.signature =
      Changed(signer.key.Sign(RenewalText(request.authority_pin, request.csr_pem)), input);
  FakeClock clock(kNow);
  Renewer::Options options;
  options.rate.per_second = options.rate.burst = 1e9;
  Renewer renewer(*world.authorities, store, clock, options);
  const absl::StatusOr<Renewal> renewal = renewer.Renew(request, "192.0.2.1");
  if (!renewal.ok()) {
    CheckRefusal(renewal.status(), store);
    return 0;
  }
  CheckRenewal(world, request, holder, who < World::kGood && &holder == &signer, store, *renewal);
  return 0;
}
