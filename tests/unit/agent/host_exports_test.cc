// Lists of exports, read and written.
#include "agent/host/exports.h"

#include <gtest/gtest.h>

namespace hostq::agent {
namespace {

TEST(ExportsTextTest, WhatIsInForce) {
  const auto entries = ParseExports(
      "/chroot/home\t203.0.113.0/24(rw,sync,wdelay,no_root_squash)\n/srv\t*(ro)\n"
      "/chroot/home\t2001:db8::2(rw)\n");
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].options.size(), 4u);
  EXPECT_TRUE(Covers(entries[0], "/chroot/home", "203.0.113.7"));
  EXPECT_FALSE(Covers(entries[0], "/chroot", "203.0.113.7"));
  EXPECT_FALSE(Covers(entries[0], "/chroot/home", "203.0.114.7"));
  EXPECT_TRUE(Covers(entries[1], "/srv", "10.0.0.1"));
  EXPECT_TRUE(Covers(entries[2], "/chroot/home", "2001:db8::2"));
  EXPECT_FALSE(Covers(entries[2], "/chroot/home", "web1"));
  EXPECT_EQ(ParseExports(FormatExports(entries)), entries);
}

TEST(ExportsTextTest, NonsenseIsLeftOut) {
  for (const char* text :
       {"", "\n", "/a", "/a b", "/a (rw)", "a b(rw)", "/a b(rw", "/a b(rw) c", "# /a b(rw)"}) {
    EXPECT_TRUE(ParseExports(text).empty()) << text;
  }
}

}  // namespace
}  // namespace hostq::agent
