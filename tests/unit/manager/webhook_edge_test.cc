// Goal: which URLs and addresses webhooks may have, what they ask for, and the signature.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/webhook/address_rules.h"
#include "manager/webhook/filter.h"
#include "manager/webhook/signature.h"
#include "manager/webhook/url.h"

namespace hostq::manager {
namespace {

TEST(UrlTest, GoodOnes) {
  const struct {
    const char* text;
    bool tls;
    const char* host;
    int port;
    const char* target;
    const char* authority;
  } kGood[] = {
      {"https://a.example/x", true, "a.example", 443, "/x", "a.example"},
      {"http://a.example", false, "a.example", 80, "/", "a.example"},
      {"https://A.Example:8443?q=1", true, "a.example", 8443, "/?q=1", "a.example:8443"},
      {"http://192.0.2.1:8080/a/b?c=%20", false, "192.0.2.1", 8080, "/a/b?c=%20", "192.0.2.1:8080"},
      {"https://[2001:db8::1]/", true, "2001:db8::1", 443, "/", "[2001:db8::1]"},
      {"http://localhost:1/", false, "localhost", 1, "/", "localhost:1"},
  };
  for (const auto& good : kGood) {
    const auto url = ParseUrl(good.text);
    ASSERT_TRUE(url.ok()) << url.status();
    EXPECT_EQ(url->tls, good.tls);
    EXPECT_EQ(url->host, good.host);
    EXPECT_EQ(url->port, good.port);
    EXPECT_EQ(url->target, good.target);
    EXPECT_EQ(url->authority(), good.authority);
  }
}

TEST(UrlTest, BadOnes) {
  for (const std::string text : {"",
                                 "a.example",
                                 "ftp://a.example/",
                                 "https://",
                                 "https:///x",
                                 "https://user@a.example/",
                                 "https://user:pw@a.example/",
                                 "https://a.example/#x",
                                 "https://a.example:0/",
                                 "https://a.example:65536/",
                                 "https://a.example:x/",
                                 "https://a.example:/",
                                 "https://a..example/",
                                 "https://.example/",
                                 "https://a.example/ x",
                                 "https://a.example/\n",
                                 "https://a.example/\r\nx: y",
                                 "https://a_b c/",
                                 "https://127.1/",
                                 "https://0x7f000001/",
                                 "https://2130706433/",
                                 "https://[::1/",
                                 "https://[127.0.0.1]/",
                                 "https://[fe80::1%25lo]/",
                                 "https://b\xc3\xbc.example/",
                                 "https://a.example/\xc3\xbc",
                                 "https://a.example/\"",
                                 "https://1.2.3/"}) {
    const auto url = ParseUrl(text);
    EXPECT_EQ(ReasonOf(url.status()), Reason::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseUrl(absl::StrCat("https://a.example/", std::string(2'000, 'x'))).ok());
}

TEST(AddressRulesTest, OnlyPublicAddressesAndThoseAllowed) {
  const AddressRules rules({*AddressRange::Parse("10.1.0.0/16"), *AddressRange::Parse("::1")}, [] {
    return std::vector<std::string>{"198.51.99.7", "2a00:1::7"};
  });
  for (const char* good : {"8.8.8.8", "198.51.99.8", "2a00:1::8", "10.1.2.3", "::1", "172.15.0.1",
                           "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(rules.Check(good).ok()) << rules.Check(good);
  }
  for (const char* bad : {"127.0.0.1",        "127.255.0.1",
                          "10.0.0.1",         "172.16.0.1",
                          "172.31.255.255",   "192.168.1.1",
                          "169.254.169.254",  "0.0.0.0",
                          "100.64.0.1",       "224.0.0.1",
                          "255.255.255.255",  "198.51.99.7",
                          "2a00:1::7",        "::",
                          "fe80::1",          "fc00::1",
                          "fd12::1",          "ff02::1",
                          "::ffff:127.0.0.1", "::ffff:169.254.169.254",
                          "::127.0.0.1",      "64:ff9b::7f00:1",
                          "2002:7f00:1::",    "2001::1",
                          "fec0::1",          "",
                          "nonsense",         "10.1.2"}) {
    EXPECT_EQ(ReasonOf(rules.Check(bad)), Reason::kWebhookAddressRefused) << bad;
  }
}

TEST(AddressRulesTest, KnowsItsOwnInterfaces) {
  const std::vector<std::string> own = InterfaceAddresses();
  EXPECT_NE(std::find(own.begin(), own.end(), "127.0.0.1"), own.end());
}

// As computed by another program: printf 't.body' | openssl dgst -sha256 -hmac SECRET.
TEST(SignatureTest, IsHmacOfTimeAndBody) {
  EXPECT_EQ(SignatureOf({"hqw_secret"}, absl::FromUnixSeconds(1'700'000'000), "{\"a\":1}"),
            "t=1700000000,v1=a87c4d375a09dc34165028267c53dfedd4cb3a25e59468355948c07da2287624");
  EXPECT_EQ(
      SignatureOf({"hqw_secret", "hqw_old"}, absl::FromUnixSeconds(1'700'000'000), "{\"a\":1}"),
      "t=1700000000,v1=a87c4d375a09dc34165028267c53dfedd4cb3a25e59468355948c07da2287624,v1="
      "6431c9f41935f5703b527d5ab9e49d45e441f018ad1dc08ac3d9a4c298502e54");
}

TEST(FilterTest, EventsCommandsAndAccounts) {
  storage::v1::Webhook webhook;
  webhook.add_events("node.*");
  webhook.add_events("command.finished");
  EXPECT_TRUE(WantsEvent(webhook, "node.connected"));
  EXPECT_TRUE(WantsEvent(webhook, "command.finished"));
  EXPECT_FALSE(WantsEvent(webhook, "task.parked"));
  EXPECT_TRUE(WantsCommand(webhook, "preflight", ""));
  webhook.add_kinds("*_account");
  EXPECT_TRUE(WantsCommand(webhook, "create_account", "a.example"));
  EXPECT_FALSE(WantsCommand(webhook, "preflight", ""));
  webhook.add_accounts("*.shop.example");
  EXPECT_TRUE(WantsCommand(webhook, "create_account", "a.shop.example"));
  EXPECT_FALSE(WantsCommand(webhook, "create_account", "a.example"));
  EXPECT_FALSE(WantsCommand(webhook, "create_account", ""));
}

}  // namespace
}  // namespace hostq::manager
