// Goal: what common/crypto promises: secrets do not leak, encodings have one spelling, requests and
// certificates say what they must and nothing that is wrong gets through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <ostream>
#include <set>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "common/crypto/secret.h"
#include "common/crypto/secret_file.h"
#include "common/log/log.h"
#include "tests/unit/trust/pki.h"
#include "tests/unit/trust/temporary_folder.h"

namespace hostq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

template <typename T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};
template <typename T>
concept Comparable = requires(const T& a, const T& b) {
  a == b;
};

TEST(SecretStringTest, CannotBePrintedConvertedOrCompared) {
  static_assert(!Streamable<SecretString>);
  static_assert(!Comparable<SecretString>);
  static_assert(!std::is_convertible_v<SecretString, std::string>);
  static_assert(!std::is_convertible_v<SecretString, absl::string_view>);
  static_assert(!std::is_convertible_v<SecretString, absl::AlphaNum>);
  static_assert(!std::is_constructible_v<LogField, absl::string_view, SecretString>);
  const SecretString secret("hunter2");
  EXPECT_THAT(testing::PrintToString(secret), Not(HasSubstr("hunter2")));
}

TEST(SecretStringTest, MovesCopiesAndWipes) {
  for (const char* text :
       {"short", "long enough to need memory of its own, which is another way"}) {
    SecretString a{std::string(text)};
    const SecretString b = a;
    EXPECT_EQ(b.Reveal(), text);
    SecretString c = std::move(a);
    EXPECT_EQ(c.Reveal(), text);
    EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): wiped, not only moved
    c = b;
    a = std::move(c);
    EXPECT_EQ(a.Reveal(), text);
  }
  std::string text = "secret";
  const char* memory = text.data();
  Wipe(text);
  EXPECT_EQ(std::string(memory, 6), std::string(6, '\0'));
  EXPECT_TRUE(text.empty());
}

TEST(EncodingTest, KnownValues) {
  EXPECT_EQ(HexEncode("\x01\xab\xff"), "01abff");
  EXPECT_EQ(Base32Encode("foobar"), "mzxw6ytboi");  // RFC 4648
  EXPECT_EQ(Base32Encode("fooba"), "mzxw6ytb");
  EXPECT_EQ(Base64UrlEncode("foob"), "Zm9vYg");
  EXPECT_EQ(Base64UrlEncode("\xfb\xff"), "-_8");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(EncodingTest, RoundTripOfEveryLength) {
  for (size_t size = 0; size < 40; ++size) {
    const std::string bytes = RandomBytes(size);
    EXPECT_EQ(HexDecode(HexEncode(bytes)), bytes);
    EXPECT_EQ(Base32Decode(Base32Encode(bytes)), bytes);
    EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(bytes)), bytes);
  }
}

TEST(EncodingTest, RefusesOtherSpellings) {
  for (const char* text : {"0", "0G", "AB", "0x12", " 12", "12 "}) {
    EXPECT_EQ(HexDecode(text), std::nullopt) << text;
  }
  for (const char* text : {"a", "mzxw6ytb1", "MZXW", "mz======", "mf", "abc"}) {
    EXPECT_EQ(Base32Decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(Base32Decode("mz"), std::nullopt);  // bits that belong to no byte
  EXPECT_EQ(Base64UrlDecode("Zm9vYh"), std::nullopt);
  EXPECT_EQ(Base64UrlDecode("Zm9vYg=="), std::nullopt);
  EXPECT_EQ(Base64UrlDecode("Zm9+"), std::nullopt);
}

TEST(HashTest, ComparesAndDrawsSecrets) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals("same", "same"));
  EXPECT_FALSE(ConstantTimeEquals("same", "samf"));
  EXPECT_FALSE(ConstantTimeEquals("same", "sam"));
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(std::string(RandomSecret(200).Reveal()));
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(seen.begin()->size(), 40u);
}

TEST(IdentityTest, NodeUriRoundTripAndNothingElse) {
  EXPECT_EQ(FormatNodeUri({"web1", 7}), "hostq://node/web1/7");
  EXPECT_EQ(ParseNodeUri("hostq://node/web1/7"), (NodeIdentity{"web1", 7}));
  for (const char* uri :
       {"", "hostq://node/", "hostq://node/web1", "hostq://node/web1/", "hostq://node/web1/0",
        "hostq://node/web1/-1", "hostq://node/web1/07", "hostq://node/web1/7/8", "hostq://node//7",
        "hostq://node/Web1/7", "hostq://node/1web/7", "hostq://node/web1/7 ", "http://node/web1/7",
        "hostq://node/we b/7", "hostq://node/web1/99999999999999999999"}) {
    EXPECT_EQ(ParseNodeUri(uri), std::nullopt) << uri;
  }
  EXPECT_EQ(ParseNodeUri(absl::StrCat("hostq://node/", std::string(64, 'a'), "/1")), std::nullopt);
}

TEST(KeyTest, PemRoundTripKeepsTheHash) {
  const PrivateKey key = PrivateKey::Generate();
  const auto again = PrivateKey::FromPem(key.ToPem());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->public_key().Hash(), key.public_key().Hash());
  EXPECT_TRUE(IsPin(key.public_key().Hash()));
  EXPECT_NE(PrivateKey::Generate().public_key().Hash(), key.public_key().Hash());
}

TEST(KeyTest, RefusesWhatIsNoKeyWithoutRepeatingIt) {
  const std::string pem(PrivateKey::Generate().ToPem().Reveal());
  for (const std::string& text :
       {std::string(), std::string("garbage"), pem.substr(0, pem.size() / 2),
        absl::StrReplaceAll(pem, {{"PRIVATE KEY", "CERTIFICATE"}})}) {
    const auto key = PrivateKey::FromPem(SecretString(text));
    EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(key.status()), Reason::kInvalidArgument);
    EXPECT_LT(key.status().message().size(), 100u);
  }
}

TEST(CertificateRequestTest, RoundTrip) {
  const PrivateKey key = PrivateKey::Generate();
  const auto request = ParseCertificateRequest(MakeCertificateRequest(key, "web1"));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->common_name, "web1");
  EXPECT_EQ(request->key.Hash(), key.public_key().Hash());
}

// Changes one byte of the DER inside PEM.
std::string WithByteChanged(const std::string& pem, size_t from_end) {
  constexpr char kBegin[] = "-----BEGIN CERTIFICATE REQUEST-----";
  constexpr char kEnd[] = "-----END CERTIFICATE REQUEST-----";
  std::string body = pem.substr(sizeof(kBegin), pem.find(kEnd) - sizeof(kBegin));
  std::string der;
  EXPECT_TRUE(absl::Base64Unescape(absl::StrReplaceAll(body, {{"\n", ""}}), &der));
  der[der.size() - from_end] = static_cast<char>(der[der.size() - from_end] ^ 1);
  return absl::StrCat(kBegin, "\n", absl::Base64Escape(der), "\n", kEnd, "\n");
}

TEST(CertificateRequestTest, RefusesBadSignature) {
  const std::string pem = MakeCertificateRequest(PrivateKey::Generate(), "web1");
  const auto request = ParseCertificateRequest(WithByteChanged(pem, 1));
  EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(request.status().message()), HasSubstr("not signed by the key"));
}

TEST(CertificateRequestTest, RefusesEveryChangedByte) {
  const std::string pem = MakeCertificateRequest(PrivateKey::Generate(), "web1");
  for (size_t from_end = 1; from_end < 200; ++from_end) {
    EXPECT_FALSE(ParseCertificateRequest(WithByteChanged(pem, from_end)).ok()) << from_end;
  }
}

// Made with openssl req -new -newkey TYPE -nodes -subj /CN=x.
constexpr char kRsaRequest[] =
    "-----BEGIN CERTIFICATE REQUEST-----\n"
    "MIIBSzCBtQIBADAMMQowCAYDVQQDDAF4MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB\n"
    "iQKBgQDdOM3uWpeckWrQZ422eaLectyUZgzPmgaKgBqoEmRKVUNR90gGv9nZVNYh\n"
    "j9h4j9S/3HPaPfZcFciIGn5A3g0ymXlduxsWUXPwLtmU/T6sxMsRj+dHgbg+QKXl\n"
    "WEtBdzh4tGQqsguth/arWNIM58omgdmbAjO0Sr0Rx0V5pLV2dwIDAQABoAAwDQYJ\n"
    "KoZIhvcNAQELBQADgYEAYlwYM1hufALPvvxNZTd8otr0Z1h+6MfBoJRjCtw7NcUO\n"
    "KQvvXokK9prqv1ZSmrmlWzIygR4n1kU85QvU4BxDMjPzrC41LRRHen5Z9CNX+UaW\n"
    "ryXJnxB8/hLFTZeR1E9efc9joYypVQPtF05drgXxT5h5tNbmVhdhMBi/FIMkVnw=\n"
    "-----END CERTIFICATE REQUEST-----\n";
constexpr char kP384Request[] =
    "-----BEGIN CERTIFICATE REQUEST-----\n"
    "MIIBBDCBiwIBADAMMQowCAYDVQQDDAF4MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE\n"
    "Zpw0DPtaTVeJlRBzJ2jVC6v9Kr42eTirY0GQSdkC6ETElFmHMj01zGCToflFBQPX\n"
    "D+UA8rT7IFIKY059iMTwa1q8ieG5u0M+Hxhsa9RkNrWT8VwiXqkAQ2ugxebtyNBN\n"
    "oAAwCgYIKoZIzj0EAwIDaAAwZQIwUyyB9gWvleriPhznzH3dDkJwIVbZyardr0AE\n"
    "05lUKiMrxfBY/L8zSNELwxeHkHQOAjEAs4NgrLHHP96f1d6eAog8mMs/w+/MVrIv\n"
    "G8lnLblziowwx7cLwxoBVb/RX0N9GgBo\n"
    "-----END CERTIFICATE REQUEST-----\n";
constexpr char kEd25519Request[] =
    "-----BEGIN CERTIFICATE REQUEST-----\n"
    "MIGLMD8CAQAwDDEKMAgGA1UEAwwBeDAqMAUGAytlcAMhAJcknWvT7GpHQgqp7sWm\n"
    "mNATvkeXKaloVKbQMXUHvXDdoAAwBQYDK2VwA0EA/Kpq45auHE/tXcmV9Akbqnyq\n"
    "EUHZK2fsAMGn5fiJXc2BJMgOeVglCgUslDUteX6WBZ8NFgGG+1EutijGarrXBQ==\n"
    "-----END CERTIFICATE REQUEST-----\n";
constexpr char kP384Key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBLC82Br5enMP6pv6OG\n"
    "Xk09OkfLsoeOsmZGgu5ezU6W8/cEVPCgz5Tb26f+ffCFtQWhZANiAARmnDQM+1pN\n"
    "V4mVEHMnaNULq/0qvjZ5OKtjQZBJ2QLoRMSUWYcyPTXMYJOh+UUFA9cP5QDytPsg\n"
    "UgpjTn2IxPBrWryJ4bm7Qz4fGGxr1GQ2tZPxXCJeqQBDa6DF5u3I0E0=\n"
    "-----END PRIVATE KEY-----\n";

TEST(CertificateRequestTest, RefusesKeysOffTheCurve) {
  for (const char* pem : {kRsaRequest, kP384Request, kEd25519Request}) {
    const auto request = ParseCertificateRequest(pem);
    EXPECT_EQ(ReasonOf(request.status()), Reason::kInvalidArgument);
    EXPECT_THAT(std::string(request.status().message()), HasSubstr("not on the curve P-256"));
  }
  EXPECT_THAT(std::string(PrivateKey::FromPem(kP384Key).status().message()),
              HasSubstr("not a key on the curve P-256"));
}

TEST(CertificateRequestTest, RefusesGarbageAndSize) {
  for (const std::string& text : {std::string(), std::string("garbage"), std::string(9000, 'A'),
                                  std::string(kRsaRequest).substr(0, 300),
                                  std::string("-----BEGIN CERTIFICATE REQUEST-----\n\n"
                                              "-----END CERTIFICATE REQUEST-----\n")}) {
    const auto request = ParseCertificateRequest(text);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(request.status()), Reason::kInvalidArgument);
  }
}

TEST(CertificateTest, SaysWhatWasAskedFor) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const TestPki pki(now);
  CertificateSpec spec = pki.ServerSpec();
  spec.ip_addresses = {"10.0.0.1", "2001:db8::1"};
  const TlsIdentity identity = pki.Issue(spec);
  const auto info = ParseCertificate(identity.certificate_chain_pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->common_name, "hostq-manager");
  EXPECT_THAT(info->dns_names, ElementsAre("hostq-manager"));
  EXPECT_THAT(info->ip_addresses, ElementsAre("10.0.0.1", "2001:db8::1"));
  EXPECT_THAT(info->uris, IsEmpty());
  EXPECT_EQ(info->not_before, now - absl::Hours(1));
  EXPECT_EQ(info->not_after, now + absl::Hours(1));
  EXPECT_FALSE(info->is_authority);
  EXPECT_GE(info->serial.size(), 32u);
  EXPECT_EQ(info->key_hash, PrivateKey::FromPem(identity.private_key_pem)->public_key().Hash());
  const auto ca = ParseCertificate(pki.ca_pem());
  ASSERT_TRUE(ca.ok());
  EXPECT_TRUE(ca->is_authority);
  EXPECT_EQ(ca->key_hash, pki.pin());
}

TEST(CertificateTest, SerialsDiffer) {
  const TestPki pki;
  std::set<std::string> serials;
  for (int i = 0; i < 20; ++i) {
    serials.insert(ParseCertificate(pki.Issue(pki.NodeSpec("web1")).certificate_chain_pem)->serial);
  }
  EXPECT_EQ(serials.size(), 20u);
}

TEST(CertificateTest, VerificationChecksSignerUseAndTime) {
  using Use = CertificateSpec::Use;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const TestPki pki(now);
  const TestPki other(now);
  const std::string pem = pki.Issue(pki.NodeSpec("web1")).certificate_chain_pem;
  EXPECT_TRUE(VerifyCertificate(pem, pki.ca_pem(), Use::kClient, now).ok());
  const struct {
    std::string ca;
    Use use;
    absl::Time time;
    const char* why;
  } wrong[] = {{other.ca_pem(), Use::kClient, now, ""},
               {pki.ca_pem(), Use::kServer, now, "purpose"},
               {pki.ca_pem(), Use::kClient, now + absl::Hours(2), "expired"},
               {pki.ca_pem(), Use::kClient, now - absl::Hours(2), "not yet valid"}};
  for (const auto& one : wrong) {
    const absl::Status status = VerifyCertificate(pem, one.ca, one.use, one.time);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(std::string(status.message()), HasSubstr(one.why));
  }
}

TEST(CertificateTest, ACertificateCannotSignOthers) {
  const TestPki pki;
  const TlsIdentity node = pki.Issue(pki.NodeSpec("web1"));
  const auto key = PrivateKey::FromPem(node.private_key_pem);
  ASSERT_TRUE(key.ok());
  const PrivateKey victim = PrivateKey::Generate();
  const auto forged =
      IssueCertificate(node.certificate_chain_pem, *key, victim.public_key(), pki.NodeSpec("web2"));
  ASSERT_TRUE(forged.ok()) << forged.status();
  EXPECT_FALSE(VerifyCertificate(absl::StrCat(*forged, node.certificate_chain_pem), pki.ca_pem(),
                                 CertificateSpec::Use::kClient, absl::Now())
                   .ok());
}

TEST(CertificateTest, RefusesNamesThatMeanSomethingToOpenssl) {
  const TestPki pki;
  const PrivateKey key = PrivateKey::Generate();
  for (const char* name : {"", "a,DNS:evil", "a\nb", "a b", "@section", "a;b"}) {
    CertificateSpec spec = pki.ServerSpec();
    spec.dns_names = {name};
    EXPECT_FALSE(IssueCertificate(pki.ca_pem(), pki.key(), key.public_key(), spec).ok()) << name;
    spec.dns_names = {};
    spec.uris = {name};
    EXPECT_FALSE(IssueCertificate(pki.ca_pem(), pki.key(), key.public_key(), spec).ok()) << name;
    spec.uris = {};
    spec.ip_addresses = {name};
    EXPECT_FALSE(IssueCertificate(pki.ca_pem(), pki.key(), key.public_key(), spec).ok()) << name;
  }
  CertificateSpec spec = pki.ServerSpec();
  spec.common_name = std::string(65, 'a');
  EXPECT_FALSE(IssueCertificate(pki.ca_pem(), pki.key(), key.public_key(), spec).ok());
  EXPECT_FALSE(IssueCertificate(pki.ca_pem(), key, key.public_key(), pki.ServerSpec()).ok());
}

TEST(SecretFileTest, WritesWithModeAndRefusesOpenFiles) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/key";
  ASSERT_TRUE(WriteFileDurably(path, "content", 0600, IfExists::kRefuse).ok());
  EXPECT_EQ(ReadSecretFile(path)->Reveal(), "content");
  EXPECT_EQ(WriteFileDurably(path, "other", 0600, IfExists::kRefuse).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadFile(path), "content");
  ASSERT_TRUE(WriteFileDurably(path, "other", 0640, IfExists::kReplace).ok());
  struct stat status = {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
  EXPECT_EQ(ReadSecretFile(path).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*ReadFile(path), "other");
  EXPECT_EQ(ReadFile(path, 3).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFile(folder.path() + "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReadFile(folder.path()).ok());
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 1u) << "temporary files stay behind";
}

}  // namespace
}  // namespace hostq
