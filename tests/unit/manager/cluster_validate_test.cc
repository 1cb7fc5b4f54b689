// What requests may hold: every rule by what it takes, what it makes of it, and what it refuses.
#include "manager/cluster/validate.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster_harness.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

void ExpectRefused(const absl::Status& status, Reason reason, const std::string& value) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << value;
  EXPECT_EQ(ReasonOf(status), reason) << value << ": " << status;
  EXPECT_TRUE(absl::StartsWith(status.message(), "field: ")) << status;
  EXPECT_LT(status.message().size(), 500u) << "the whole of a long value is repeated";
}

TEST(ValidateTest, DomainsAreMadeNormal) {
  const std::string label63(63, 'a');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"example.com", "example.com"},
      {"EXAMPLE.Com", "example.com"},
      {"a.b", "a.b"},
      {"3com.example", "3com.example"},
      {"a-b--c.example", "a-b--c.example"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"1.2.3.4a", "1.2.3.4a"},
      {label63 + ".com", label63 + ".com"},
      {Repeat("abcdefg.", 31) + "abcde", Repeat("abcdefg.", 31) + "abcde"},  // 253
  };
  for (const auto& [given, wanted] : cases) {
    const auto domain = NormalDomain("field", given);
    ASSERT_TRUE(domain.ok()) << domain.status();
    EXPECT_EQ(*domain, wanted);
  }
}

TEST(ValidateTest, WhatIsNoDomainIsRefused) {
  for (const std::string& value : std::vector<std::string>{"",
                                                           ".",
                                                           "..",
                                                           "com",
                                                           "localhost",
                                                           "example.com.",
                                                           ".example.com",
                                                           "example..com",
                                                           "-a.com",
                                                           "a-.com",
                                                           "exa_mple.com",
                                                           "exa mple.com",
                                                           "example.com/x",
                                                           "*.example.com",
                                                           "b\xc3\xbc"
                                                           "cher.example",
                                                           "ab--cd.example",
                                                           "192.0.2.1",
                                                           "example.123",
                                                           "example.com\n",
                                                           std::string("example.com\0x", 13),
                                                           std::string(64, 'a') + ".com",
                                                           Repeat("abcdefg.", 31) + "abcdef",
                                                           std::string(100'000, 'a'),
                                                           "a@b.com",
                                                           "../etc.com"}) {
    ExpectRefused(NormalDomain("field", value).status(), Reason::kInvalidDomain, value);
  }
}

TEST(ValidateTest, UserNames) {
  for (const std::string& value :
       {std::string("a"), std::string("exampleco"), std::string("a1-b_c"), std::string(32, 'a')}) {
    EXPECT_TRUE(CheckUserName("field", value).ok()) << value;
  }
  for (const std::string& value : std::vector<std::string>{"",
                                                           "1a",
                                                           "-a",
                                                           "_a",
                                                           "A",
                                                           "exampleCo",
                                                           "a b",
                                                           "a.b",
                                                           "a:b",
                                                           "a/b",
                                                           "a\n",
                                                           "\xc3\xa4",
                                                           std::string("ab\0c", 4),
                                                           std::string(33, 'a'),
                                                           std::string(70'000, 'a'),
                                                           "root",
                                                           "daemon",
                                                           "bin",
                                                           "sys",
                                                           "mail",
                                                           "www-data",
                                                           "nobody",
                                                           "hostq",
                                                           "sshd",
                                                           "mysql",
                                                           "hostq-agent",
                                                           "systemd-network",
                                                           "$(id)"}) {
    ExpectRefused(CheckUserName("field", value), Reason::kInvalidUserName, value);
  }
}

TEST(ValidateTest, Names) {
  for (const std::string& value : {std::string("a"), std::string("web-1"), std::string(63, 'a')}) {
    EXPECT_TRUE(CheckName("field", value, kMaxNodeName).ok()) << value;
  }
  for (const std::string& value :
       std::vector<std::string>{"", "1", "-a", "a-", "A", "web_1", "web.1", "web 1", "web1/", "..",
                                std::string("a\0b", 3), std::string(64, 'a')}) {
    ExpectRefused(CheckName("field", value, kMaxNodeName), Reason::kInvalidName, value);
  }
  EXPECT_FALSE(CheckName("field", std::string(33, 'a'), kMaxShareName).ok());
}

TEST(ValidateTest, Paths) {
  for (const char* value :
       {"/home", "/chroot/home", "/a.b/..c/d_e+f@g=h-i", "/var/www", "/srv/x"}) {
    EXPECT_TRUE(CheckPath("field", value).ok()) << value;
    EXPECT_TRUE(CheckMountPoint("field", value).ok()) << value;
  }
  for (const std::string& value : std::vector<std::string>{
           "", "/", "home", "home/x", "//home", "/home/", "/home//x", "/home/.", "/home/../etc",
           "/..", "/ho me", "/home\n", "/home:x", "/ho\\me", "/h\xc3\xb6me",
           std::string("/home\0x", 7), "/" + std::string(256, 'a'), Repeat("/a", 501)}) {
    ExpectRefused(CheckPath("field", value), Reason::kInvalidPath, value);
    ExpectRefused(CheckMountPoint("field", value), Reason::kInvalidPath, value);
  }
  for (const char* value :
       {"/etc", "/etc/x", "/usr/local", "/proc", "/var", "/tmp", "/var/lib/x"}) {
    ExpectRefused(CheckMountPoint("field", value), Reason::kInvalidPath, value);
  }
  EXPECT_TRUE(CheckMountPoint("field", "/etcetera").ok());
}

TEST(ValidateTest, Sources) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"10.0.0.1:/chroot/home", "10.0.0.1", "/chroot/home"},
      {"Filer-1.Example.COM:/vol/home", "filer-1.example.com", "/vol/home"},
      {"storage1:/", "storage1", "/"},
      {"[2001:DB8:0::1]:/home", "2001:db8::1", "/home"},
  };
  for (const auto& [given, host, path] : cases) {
    const auto source = NormalSource("field", given);
    ASSERT_TRUE(source.ok()) << source.status();
    EXPECT_EQ(source->host, host);
    EXPECT_EQ(source->path, path);
  }
  EXPECT_EQ(NormalSource("field", "[2001:DB8:0::1]:/home")->text, "[2001:db8::1]:/home");
  for (const char* value : {"", "/home", ":/home", "10.0.0.1", "10.0.0.1:", "10.0.0.1:home",
                            "10.0.0.1:/home/", "10.0.0.1:/a/../b", "10.0.0.1:/a b", "h:/a:/b"}) {
    ExpectRefused(NormalSource("field", value).status(), Reason::kInvalidPath, value);
  }
  for (const char* value :
       {"0.0.0.0:/home", "127.0.0.1:/home", "10.0.0.256:/home", "224.0.0.1:/home", "1.2.3:/home",
        "-a:/home", "a_b:/home", "a b:/home", "a..b:/home", "[::1]:/home", "[10.0.0.1]:/home",
        "[]:/home", "[fe80::1%eth0]:/home", "2001:db8::1:/home", "$(id):/home"}) {
    ExpectRefused(NormalSource("field", value).status(), Reason::kInvalidAddress, value);
  }
}

TEST(ValidateTest, QuotasAreRoundedUpToWholeKib) {
  constexpr int64_t kTiB = int64_t{1} << 40;
  const std::vector<std::pair<int64_t, int64_t>> cases = {{0, 0},
                                                          {1024, 1024},
                                                          {1025, 2048},
                                                          {2047, 2048},
                                                          {10LL << 30, 10LL << 30},
                                                          {4 * kTiB - 1024, 4 * kTiB - 1024},
                                                          {4 * kTiB - 2047, 4 * kTiB - 1024}};
  for (const auto& [given, wanted] : cases) {
    const auto quota = NormalQuota("field", given);
    ASSERT_TRUE(quota.ok()) << quota.status();
    EXPECT_EQ(*quota, wanted);
  }
  for (const int64_t value :
       {int64_t{-1}, int64_t{1}, int64_t{1023}, 4 * kTiB - 1023, 4 * kTiB, INT64_MAX, INT64_MIN}) {
    ExpectRefused(NormalQuota("field", value).status(), Reason::kInvalidSize, absl::StrCat(value));
  }
}

TEST(ValidateTest, AddressesAreMadeCanonical) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"203.0.113.10", "203.0.113.10"},
      {"10.0.0.1", "10.0.0.1"},
      {"223.255.255.255", "223.255.255.255"},
      {"2001:DB8:0:0:0:0:0:10", "2001:db8::10"},
      {"fd00::1", "fd00::1"},
      {"fec0::1", "fec0::1"}};
  for (const auto& [given, wanted] : cases) {
    const auto address = NormalAddress("field", given);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(*address, wanted);
  }
}

TEST(ValidateTest, WhatNoAccountCanHaveIsRefused) {
  for (const std::string& value : std::vector<std::string>{"",
                                                           "example.com",
                                                           "203.0.113.0/24",
                                                           "203.0.113.10/32",
                                                           "2001:db8::/64",
                                                           "0.0.0.0",
                                                           "0.1.2.3",
                                                           "127.0.0.1",
                                                           "127.255.255.255",
                                                           "224.0.0.1",
                                                           "239.255.255.255",
                                                           "240.0.0.1",
                                                           "255.255.255.255",
                                                           "169.254.1.1",
                                                           "::",
                                                           "::1",
                                                           "::2",
                                                           "fe80::1",
                                                           "febf::1",
                                                           "ff02::1",
                                                           "::ffff:203.0.113.10",
                                                           "::203.0.113.10",
                                                           "203.0.113",
                                                           "203.0.113.256",
                                                           "203.0.113.010",
                                                           "0xcb.0.113.10",
                                                           " 203.0.113.10",
                                                           "203.0.113.10 ",
                                                           "203.0.113.10\n",
                                                           "3405803786",
                                                           std::string("203.0.113.10\0x", 14),
                                                           "fe80::1%eth0",
                                                           "2001:db8:::1",
                                                           "1:2:3:4:5:6:7:8:9",
                                                           std::string(100'000, '1'),
                                                           "203.0.113.10:80",
                                                           "[2001:db8::1]"}) {
    ExpectRefused(NormalAddress("field", value).status(), Reason::kInvalidAddress, value);
  }
  EXPECT_EQ(*NormalNodeAddress("field", "127.0.0.2"), "127.0.0.2");
  EXPECT_EQ(*NormalNodeAddress("field", "::1"), "::1");
  EXPECT_FALSE(NormalNodeAddress("field", "0.0.0.0").ok());
  EXPECT_EQ(*CanonicalAddress("field", "127.0.0.1"), "127.0.0.1");
  EXPECT_FALSE(CanonicalAddress("field", "localhost").ok());
}

TEST(ValidateTest, FreeText) {
  EXPECT_TRUE(CheckText("field", "", 5).ok());
  EXPECT_TRUE(CheckText("field", "12345", 5).ok());
  EXPECT_TRUE(CheckText("field", Repeat("\xc3\xa4", 5), 5).ok()) << "characters, not bytes";
  ExpectRefused(CheckText("field", "123456", 5), Reason::kInvalidArgument, "too long");
  ExpectRefused(CheckText("field", "a\nb", 5), Reason::kInvalidArgument, "newline");
  ExpectRefused(CheckText("field", "a\x1b[", 5), Reason::kInvalidArgument, "escape");
}

TEST(ValidateTest, FreeTextIsUtf8) {
  for (const char* value : {"\xc3", "a\xfe", "\xed\xa0\x80"}) {
    ExpectRefused(CheckText("field", value, 50), Reason::kInvalidArgument, value);
  }
}

}  // namespace
}  // namespace hostq::manager
