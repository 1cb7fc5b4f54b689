#include "manager/access/address_range.h"

#include <string>

#include "gtest/gtest.h"

namespace hostq::manager {
namespace {

AddressRange Range(absl::string_view text) { return *AddressRange::Parse(text); }

TEST(AddressRangeTest, Contains) {
  EXPECT_TRUE(Range("10.0.0.0/24").Contains("10.0.0.255"));
  EXPECT_FALSE(Range("10.0.0.0/24").Contains("10.0.1.0"));
  EXPECT_TRUE(Range("10.0.0.128/25").Contains("10.0.0.129"));
  EXPECT_FALSE(Range("10.0.0.128/25").Contains("10.0.0.127"));
  EXPECT_TRUE(Range("192.0.2.1").Contains("192.0.2.1"));
  EXPECT_FALSE(Range("192.0.2.1").Contains("192.0.2.2"));
  EXPECT_TRUE(Range("0.0.0.0/0").Contains("203.0.113.7"));
  EXPECT_FALSE(Range("0.0.0.0/0").Contains("2001:db8::1"));
  EXPECT_FALSE(Range("::/0").Contains("192.0.2.1"));
  EXPECT_TRUE(Range("2001:db8::/33").Contains("2001:db8:7fff::1"));
  EXPECT_FALSE(Range("2001:db8::/33").Contains("2001:db8:8000::1"));
  // Dual-stack listeners see IPv4 as mapped.
  EXPECT_TRUE(Range("10.0.0.0/24").Contains("::ffff:10.0.0.7"));
  EXPECT_TRUE(Range("::ffff:10.0.0.7").Contains("10.0.0.7"));
  for (const char* text : {"", "unix:", "unix:/run/hostq.sock", "10.0.0", "10.0.0.7:80"}) {
    EXPECT_FALSE(Range("10.0.0.0/8").Contains(text)) << text;
  }
}

TEST(AddressRangeTest, Text) {
  EXPECT_EQ(Range("10.0.0.0/24").text(), "10.0.0.0/24");
  EXPECT_EQ(Range("10.0.0.1/32").text(), "10.0.0.1");
  EXPECT_EQ(Range("2001:DB8:0::/32").text(), "2001:db8::/32");
}

TEST(AddressRangeTest, Refuses) {
  for (const char* text :
       {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/-1",
        "2001:db8::/129", "10.0.0.0/8/8", "host", "10.0.0/24", "*", "10.0.0.0/0000"}) {
    const auto range = AddressRange::Parse(text);
    EXPECT_TRUE(absl::IsInvalidArgument(range.status())) << text;
  }
  const auto range = AddressRange::Parse("10.0.0.7/24");
  EXPECT_TRUE(range.status().message().find("the range is 10.0.0.0/24") != std::string::npos)
      << range.status();
  EXPECT_FALSE(AddressRange::Parse(absl::string_view("10.0.0.1\0x", 10)).ok());
}

TEST(AddressRangeTest, InAny) {
  EXPECT_TRUE(InAnyRange({}, "192.0.2.1"));
  EXPECT_TRUE(InAnyRange({}, "unix:"));
  EXPECT_TRUE(InAnyRange({Range("10.0.0.0/8"), Range("192.0.2.0/24")}, "192.0.2.1"));
  EXPECT_FALSE(InAnyRange({Range("10.0.0.0/8")}, "192.0.2.1"));
}

}  // namespace
}  // namespace hostq::manager
