// The registry of reasons in C++ and the enum in the protos are one thing written twice: shown to
// be the same.
#include "common/base/reason.h"

#include <gtest/gtest.h>

#include <set>

#include "common/base/error.h"
#include "hostq/v1/finding.pb.h"
#include "hostq/v1/reason.pb.h"

namespace hostq {
namespace {

TEST(ReasonTest, RegistryAndProtoAgree) {
  const auto& codes = *v1::Reason::Code_descriptor();
  ASSERT_EQ(codes.value_count(), static_cast<int>(AllReasons().size()) + 1);
  for (const ReasonInfo& info : AllReasons()) {
    const auto* value = codes.FindValueByNumber(static_cast<int>(info.reason));
    ASSERT_NE(value, nullptr) << info.name;
    EXPECT_EQ(value->name(), std::string(info.name));
    EXPECT_NE(v1::Finding::Owner_descriptor()->FindValueByNumber(static_cast<int>(info.owner)),
              nullptr);
  }
}

TEST(ReasonTest, EachIsFoundByNumberAndByNameAndSaysWhatToDo) {
  int last = 0;
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_GT(static_cast<int>(info.reason), last) << "not in order: " << info.name;
    last = static_cast<int>(info.reason);
    EXPECT_EQ(&InfoOf(info.reason), &info);
    EXPECT_EQ(ReasonFromName(info.name), info.reason);
    EXPECT_FALSE(info.explanation.empty()) << info.name;
    EXPECT_FALSE(info.remedy.empty()) << info.name;
  }
  EXPECT_EQ(InfoOf(static_cast<Reason>(9999)).reason, Reason::kInternal);
  EXPECT_FALSE(ReasonFromName("NO_SUCH_REASON").has_value());
}

TEST(ErrorTest, CarriesItsReason) {
  const absl::Status status = InvalidField(Reason::kInvalidDomain, "domain", "is empty");
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidDomain);
  EXPECT_EQ(status.message(), "domain: is empty");
  EXPECT_EQ(ReasonOf(absl::OkStatus()), Reason::kNone);
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), Reason::kNone);
  EXPECT_EQ(ErrnoError(ENOENT, Reason::kInternal, "open x").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace hostq
