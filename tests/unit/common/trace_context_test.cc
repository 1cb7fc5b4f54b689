// Goal: what the W3C says of `traceparent`, and that ids follow from names.
#include "common/base/trace_context.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace hostq {
namespace {

constexpr char kGiven[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, OnlyWhatTheW3cCallsOneIsOne) {
  EXPECT_TRUE(IsTraceparent(kGiven));
  EXPECT_TRUE(IsTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
  // Of a later version: what is known of it counts.
  EXPECT_TRUE(IsTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  EXPECT_TRUE(IsTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-ever"));
  for (const char* const wrong : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                                  "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                  "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                  "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                  "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                  "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
                                  "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                                  "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
                                  " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    EXPECT_FALSE(IsTraceparent(wrong)) << wrong;
    EXPECT_FALSE(SpanWithin(wrong, "x").has_value()) << wrong;
  }
}

TEST(TraceContextTest, ASpanIsWithinWhatWasGiven) {
  const auto span = SpanWithin(kGiven, "command/1");
  ASSERT_TRUE(span.has_value());
  EXPECT_EQ(span->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(span->parent_id, "00f067aa0ba902b7");
  EXPECT_EQ(span->traceparent(),
            absl::StrCat("00-4bf92f3577b34da6a3ce929d0e0e4736-", span->span_id, "-01"));
  EXPECT_TRUE(IsTraceparent(span->traceparent()));
  // Whoever knows the name finds it again; another name is another span.
  EXPECT_EQ(SpanWithin(kGiven, "command/1")->span_id, span->span_id);
  EXPECT_NE(SpanWithin(kGiven, "command/2")->span_id, span->span_id);
  EXPECT_EQ(SpanWithin(span->traceparent(), "task")->parent_id, span->span_id);
}

TEST(TraceContextTest, WhatNobodyGaveBeginsWithItself) {
  const std::string root = RootTraceparent("command/1");
  EXPECT_TRUE(IsTraceparent(root)) << root;
  const auto span = SpanWithin(root, "command/1");
  ASSERT_TRUE(span.has_value());
  EXPECT_EQ(span->parent_id, "");
  EXPECT_NE(SpanWithin(RootTraceparent("command/2"), "command/2")->trace_id, span->trace_id);
}

}  // namespace
}  // namespace hostq
