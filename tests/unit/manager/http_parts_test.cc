// Problems, sessions and files of the HTTPS port: what each answers, with a clock of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "manager/http/problem.h"
#include "manager/http/static_files.h"
#include "manager/http/web_sessions.h"

namespace hostq::manager {
namespace {

std::string HeaderOf(const HttpResponse& response, absl::string_view name) {
  for (const auto& [each, value] : response.headers) {
    if (each == name) return value;
  }
  return "";
}

TEST(ProblemTest, EveryReasonMakesOne) {
  for (const ReasonInfo& info : AllReasons()) {
    if (info.reason == Reason::kNone) continue;
    const HttpResponse response =
        ProblemOf(MakeError(absl::StatusCode::kFailedPrecondition, info.reason, "why"), "id-1");
    EXPECT_EQ(HeaderOf(response, "content-type"), "application/problem+json");
    const auto json = nlohmann::json::parse(response.body);
    EXPECT_EQ(json["status"], response.status);
    EXPECT_EQ(json["reason"], std::string(info.name));
    EXPECT_EQ(json["type"], absl::StrCat("urn:hostq:reason:", info.name));
    EXPECT_EQ(json["detail"], "why");
    EXPECT_EQ(json["requestId"], "id-1");
    EXPECT_FALSE(json["title"].get<std::string>().empty());
    EXPECT_FALSE(json.contains("retryAfter"));
  }
}

TEST(ProblemTest, CodesHaveTheirStatus) {
  const std::pair<absl::StatusCode, int> cases[] = {
      {absl::StatusCode::kInvalidArgument, 400},    {absl::StatusCode::kOutOfRange, 400},
      {absl::StatusCode::kUnauthenticated, 401},    {absl::StatusCode::kPermissionDenied, 403},
      {absl::StatusCode::kNotFound, 404},           {absl::StatusCode::kAlreadyExists, 409},
      {absl::StatusCode::kFailedPrecondition, 409}, {absl::StatusCode::kAborted, 409},
      {absl::StatusCode::kResourceExhausted, 429},  {absl::StatusCode::kUnavailable, 503},
      {absl::StatusCode::kDeadlineExceeded, 504},   {absl::StatusCode::kUnimplemented, 501},
      {absl::StatusCode::kInternal, 500},           {absl::StatusCode::kUnknown, 500}};
  for (const auto& [code, status] : cases) {
    EXPECT_EQ(HttpStatusOf(absl::Status(code, "x")), status);
    // Errors without a reason are ours.
    EXPECT_EQ(nlohmann::json::parse(ProblemJson(absl::Status(code, "x"), ""))["reason"],
              "INTERNAL");
  }
}

TEST(ProblemTest, SaysWhenToTryAgainAndHowToShowWhoOneIs) {
  const absl::Status busy =
      WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, Reason::kRateLimited, "slow"),
                     absl::Milliseconds(1200));
  const HttpResponse response = ProblemOf(busy, "");
  EXPECT_EQ(HeaderOf(response, "retry-after"), "2");
  EXPECT_EQ(nlohmann::json::parse(response.body)["retryAfter"], 1.2);
  EXPECT_EQ(HeaderOf(ProblemOf(absl::UnauthenticatedError("x"), ""), "www-authenticate"),
            "Bearer realm=\"hostq\"");
}

TEST(ProblemTest, WhateverIsInADetailItIsJson) {
  const absl::Status status = MakeError(absl::StatusCode::kInvalidArgument,
                                        Reason::kInvalidArgument, "\"\\\r\n\x01 \xff </script>");
  EXPECT_TRUE(nlohmann::json::accept(ProblemJson(status, "\"")));
}

class SessionsTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  WebSessions sessions_{clock_};
};

TEST_F(SessionsTest, ATokenFindsItsSession) {
  const auto opened = sessions_.Open("key/a", SecretString("hostq_x"), "");
  const auto found = sessions_.Find(opened.token.Reveal(), "");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->actor, "key/a");
  EXPECT_EQ(found->key->Reveal(), "hostq_x");
  EXPECT_GE(opened.token.size(), 50u);
  EXPECT_NE(found->csrf_token, opened.token.Reveal());
  EXPECT_EQ(sessions_.Find("", ""), nullptr);
  EXPECT_EQ(sessions_.Find(found->id, ""), nullptr);
  EXPECT_EQ(sessions_.Find(absl::StrCat(opened.token.Reveal(), "x"), ""), nullptr);
  sessions_.End(found->id);
  EXPECT_EQ(sessions_.Find(opened.token.Reveal(), ""), nullptr);
  EXPECT_FALSE(sessions_.Holds(found->id));
}

TEST_F(SessionsTest, OneOfACertificateNeedsTheCertificate) {
  const auto opened = sessions_.Open("alice", std::nullopt, "PEM of alice");
  EXPECT_EQ(sessions_.Find(opened.token.Reveal(), ""), nullptr);
  EXPECT_EQ(sessions_.Find(opened.token.Reveal(), "PEM of bob"), nullptr);
  EXPECT_NE(sessions_.Find(opened.token.Reveal(), "PEM of alice"), nullptr);
}

TEST_F(SessionsTest, EndsWhenIdleAndInAnyCase) {
  const auto idle = sessions_.Open("a", SecretString("k"), "");
  clock_.Advance(absl::Minutes(61));
  EXPECT_EQ(sessions_.Find(idle.token.Reveal(), ""), nullptr);
  const auto busy = sessions_.Open("a", SecretString("k"), "");
  for (int i = 0; i < 23; ++i) {
    clock_.Advance(absl::Minutes(30));
    EXPECT_NE(sessions_.Find(busy.token.Reveal(), ""), nullptr) << i;
  }
  clock_.Advance(absl::Minutes(31));
  EXPECT_EQ(sessions_.Find(busy.token.Reveal(), ""), nullptr);
}

TEST_F(SessionsTest, AStreamThatLooksDoesNotKeepItAlive) {
  const auto opened = sessions_.Open("a", SecretString("k"), "");
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Minutes(13));
    EXPECT_EQ(sessions_.Holds(opened.session->id), i < 4) << i;
  }
}

TEST_F(SessionsTest, ThereAreNotMoreThanTheLimits) {
  std::vector<WebSessions::Opened> of_one;
  for (int i = 0; i < 21; ++i) {
    clock_.Advance(absl::Milliseconds(1));
    of_one.push_back(sessions_.Open("a", SecretString("k"), ""));
  }
  EXPECT_EQ(sessions_.Find(of_one[0].token.Reveal(), ""), nullptr);
  EXPECT_NE(sessions_.Find(of_one[1].token.Reveal(), ""), nullptr);
  for (int i = 0; i < 1'000; ++i) {
    clock_.Advance(absl::Milliseconds(1));
    sessions_.Open(absl::StrCat("b", i), SecretString("k"), "");
  }
  EXPECT_EQ(sessions_.Find(of_one[20].token.Reveal(), ""), nullptr);
}

HttpResponse Get(const std::string& path, HttpHeaders headers = {}, const char* method = "GET") {
  HttpRequest request;
  request.method = method;
  request.headers = std::move(headers);
  return AnswerWithFile(request, path, "id");
}

TEST(StaticFilesTest, ThereIsAnIndex) {
  const HttpResponse plain = Get("/");
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(HeaderOf(plain, "content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(HeaderOf(plain, "content-security-policy"),
              ::testing::HasSubstr("default-src 'none'; script-src 'self'"));
  EXPECT_EQ(HeaderOf(plain, "content-encoding"), "");
  EXPECT_EQ(plain.body, Get("/index.html").body);
  EXPECT_EQ(Get("/", {{"if-none-match", HeaderOf(plain, "etag")}}).status, 304);
  const HttpResponse post = Get("/", {}, "POST");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(HeaderOf(post, "allow"), "GET, HEAD, OPTIONS");
}

TEST(StaticFilesTest, EveryFileIsServedBothWays) {
  for (const StaticFile& file : StaticFiles()) {
    const std::string path(file.path);
    EXPECT_EQ(Get(path).body, std::string(file.bytes)) << path;
    const HttpResponse packed = Get(path, {{"accept-encoding", "br, gzip"}});
    if (!file.gzip.empty()) {
      EXPECT_EQ(HeaderOf(packed, "content-encoding"), "gzip") << path;
      EXPECT_EQ(packed.body, std::string(file.gzip)) << path;
      EXPECT_LT(packed.body.size(), file.bytes.size()) << path;
    }
    EXPECT_EQ(HeaderOf(Get(path, {{"accept-encoding", "gzip;q=0"}}), "content-encoding"), "");
  }
}

TEST(StaticFilesTest, NoPathLeavesTheTable) {
  for (const char* path : {"/../manager.toml", "/index.html/", "/./index.html", "//index.html",
                           "/etc/passwd", "/%2e%2e/etc/passwd", "index.html", ""}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

}  // namespace
}  // namespace hostq::manager
