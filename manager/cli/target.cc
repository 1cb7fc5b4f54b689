#include "manager/cli/target.h"

#include <arpa/inet.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/id.h"

namespace hostq::cli {
namespace {

bool IsAddress(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace

TaskName SplitTask(absl::string_view text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('/', 1));
  return {parts.first, parts.second};
}

std::string KeyOf(absl::string_view text) {
  const std::string whole(text);
  if (ParseId(SplitTask(text).command)) return "";
  if (whole.find('/') != std::string::npos) return whole;
  if (IsAddress(whole)) return absl::StrCat("address/", whole);
  if (whole.find('.') != std::string::npos) return absl::StrCat("account/", whole);
  return "";
}

}  // namespace hostq::cli
