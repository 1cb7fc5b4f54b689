// Goal: addresses and ARP packets are read exactly; nothing reserved is ever taken for an
// account's.
#include <gtest/gtest.h>

#include "agent/host/arp.h"
#include "agent/host/ip_address.h"

namespace hostq::agent {
namespace {

TEST(IpAddressTest, ParsesOneAddressAndNothingElse) {
  for (const char* good : {"203.0.113.10", "2001:db8::5", "255.255.255.254", "::2"}) {
    ASSERT_TRUE(IpAddress::Parse(good)) << good;
    EXPECT_EQ(IpAddress::Parse(good)->ToString(), good);
  }
  for (const char* bad : {"", "203.0.113", "203.0.113.10/32", " 203.0.113.10", "203.0.113.010x",
                          "fe80::1%eth0", "1.2.3.256", "example.com", "0x7f.1"}) {
    EXPECT_FALSE(IpAddress::Parse(bad)) << bad;
  }
  EXPECT_FALSE(IpAddress::Parse(absl::string_view("1.2.3.4\0", 8)));
}

TEST(IpRangeTest, PrefixBoundaries) {
  const auto contains = [](const char* range, const char* address) {
    return IpRange::Parse(range)->Contains(*IpAddress::Parse(address));
  };
  EXPECT_TRUE(contains("10.1.2.128/25", "10.1.2.255"));
  EXPECT_FALSE(contains("10.1.2.128/25", "10.1.2.127"));
  EXPECT_TRUE(contains("0.0.0.0/0", "8.8.8.8"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("10.0.0.1", "10.0.0.1"));
  EXPECT_FALSE(contains("10.0.0.1", "10.0.0.2"));
  for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "x/8"}) {
    EXPECT_FALSE(IpRange::Parse(bad)) << bad;
  }
}

TEST(ReservedTest, EveryKind) {
  const auto kind = [](const char* address) {
    return std::string(ReservedKind(*IpAddress::Parse(address)));
  };
  EXPECT_EQ(kind("0.0.0.0"), "unspecified");
  EXPECT_EQ(kind("127.0.0.1"), "loopback");
  EXPECT_EQ(kind("169.254.1.1"), "link-local");
  EXPECT_EQ(kind("224.0.0.1"), "multicast");
  EXPECT_EQ(kind("255.255.255.255"), "reserved");
  EXPECT_EQ(kind("::"), "unspecified");
  EXPECT_EQ(kind("::1"), "loopback");
  EXPECT_EQ(kind("fe80::1"), "link-local");
  EXPECT_EQ(kind("ff02::1"), "multicast");
  EXPECT_EQ(kind("::ffff:10.0.0.1"), "IPv4 inside IPv6");
  for (const char* fine : {"203.0.113.10", "10.0.0.1", "192.168.1.1", "2001:db8::1", "fd00::1"}) {
    EXPECT_EQ(kind(fine), "") << fine;
  }
}

TEST(ArpTest, AnswerClaimsProbeDoesNot) {
  const IpAddress target = *IpAddress::Parse("203.0.113.10");
  const MacAddress mac = {2, 0, 0, 0, 13, 1};
  auto packet = EncodeArpProbe(mac, target);
  const auto view = [&] {
    return absl::string_view(reinterpret_cast<const char*>(packet.data()), packet.size());
  };
  // Two nodes that bind the address at the same moment probe at the same moment: no conflict.
  EXPECT_FALSE(ClaimsAddress(view(), target));
  std::copy_n(target.bytes.begin(), 4, packet.begin() + 14);
  ASSERT_TRUE(ClaimsAddress(view(), target));
  EXPECT_EQ(FormatMac(*ClaimsAddress(view(), target)), "02:00:00:00:0d:01");
  EXPECT_FALSE(ClaimsAddress(view(), *IpAddress::Parse("203.0.113.11")));
  EXPECT_FALSE(ClaimsAddress(view().substr(0, 27), target));
  packet[1] = 6;
  EXPECT_FALSE(ClaimsAddress(view(), target));
}

}  // namespace
}  // namespace hostq::agent
