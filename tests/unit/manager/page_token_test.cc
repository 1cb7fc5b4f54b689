// Page tokens: what was put in comes out for the same request, and for no other.
#include "manager/api/page_token.h"

#include <gtest/gtest.h>

#include "common/base/error.h"

namespace hostq::manager {
namespace {

TEST(PageTokenTest, PositionComesBack) {
  for (const std::string& position :
       {std::string("1"), std::string("example.com"), std::string("\0\xff/", 3)}) {
    const auto back = ParsePageToken(MakePageToken(position, "List/a"), "List/a");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, position);
  }
}

TEST(PageTokenTest, EmptyTokenIsTheFirstPage) { EXPECT_EQ(*ParsePageToken("", "List/a"), ""); }

TEST(PageTokenTest, TokenIsBoundToItsRequest) {
  const auto other = ParsePageToken(MakePageToken("1", "List/a"), "List/b");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(other.status()), Reason::kPageTokenInvalid);
}

TEST(PageTokenTest, RequestAndPositionAreNotMixedUp) {
  EXPECT_FALSE(ParsePageToken(MakePageToken("b1", "List/a"), "List/ab").ok());
}

TEST(PageTokenTest, EveryDamageIsNoticed) {
  const std::string token = MakePageToken("12345", "List/a");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string damaged = token;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(ParsePageToken(damaged, "List/a").ok()) << damaged;
    EXPECT_FALSE(ParsePageToken(token.substr(0, i + 1), "List/a").ok() && i + 1 < token.size());
  }
}

TEST(PageTokenTest, GarbageIsRefusedWithTheReason) {
  for (const std::string& text :
       {std::string("x"), std::string("not base64!"), std::string(2000, 'A'),
        std::string("\0\0\0", 3), std::string("AAAAAAAAAAA")}) {
    const auto parsed = ParsePageToken(text, "List/a");
    EXPECT_EQ(ReasonOf(parsed.status()), Reason::kPageTokenInvalid) << text;
  }
}

TEST(PageTokenTest, PageSizeIsCoerced) {
  EXPECT_EQ(*PageSizeOf(0), 100);
  EXPECT_EQ(*PageSizeOf(7), 7);
  EXPECT_EQ(*PageSizeOf(5'000), 1'000);
  EXPECT_EQ(ReasonOf(PageSizeOf(-1).status()), Reason::kInvalidArgument);
}

}  // namespace
}  // namespace hostq::manager
