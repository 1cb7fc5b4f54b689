// What an engineer who inherits the tree relies on: nothing stray at the top, no giant files,
// every reason explained in the documents, no dead links there.
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/reason.h"
#include "source_tree.h"

namespace hostq::lint {
namespace {

namespace fs = std::filesystem;

TEST(TreeTest, TopLevelHasWhatWasAskedForAndNothingElse) {
  const std::set<std::string> expected = {"CMakeLists.txt", "CMakePresets.json",
                                          "README.md",      "CHANGELOG.md",
                                          "proto",          "manager",
                                          "agent",          "common",
                                          "tests",          "deploy",
                                          "docs",           "build"};
  for (const auto& entry : fs::directory_iterator(HOSTQ_SOURCE_DIR)) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(name[0] == '.' || expected.contains(name)) << name;
  }
}

TEST(TreeTest, FilesAreShortEnoughToReadFromTopToBottom) {
  for (const std::string& file :
       FilesBelow({"common", "manager", "agent", "proto", "tests", "deploy"})) {
    const std::string text = ReadFile(file);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 700) << file;
  }
}

TEST(TreeTest, NothingIsLeftForLaterInCode) {
  static const std::regex kLater(R"(\b(TODO|FIXME|XXX|HACK)\b)");
  for (const std::string& file : FilesBelow({"common", "manager", "agent", "proto", "deploy"})) {
    EXPECT_FALSE(std::regex_search(ReadFile(file), kLater)) << file;
  }
}

TEST(TreeTest, HeadersAreGuarded) {
  for (const std::string& file : FilesBelow({"common", "manager", "agent", "tests"})) {
    if (EndsWith(file, ".h")) {
      EXPECT_TRUE(absl::StrContains(ReadFile(file), "#pragma once")) << file;
    }
  }
}

TEST(TreeTest, EveryReasonHasItsSectionInTheTroubleshooting) {
  const std::string text = ReadFile("docs/troubleshooting.md");
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("### ", info.name, "\n"))) << info.name;
  }
  static const std::regex kSection("### ([A-Z_]+)\n");
  for (std::sregex_iterator it(text.begin(), text.end(), kSection), end; it != end; ++it) {
    EXPECT_TRUE(ReasonFromName((*it)[1].str()).has_value()) << "no such reason: " << (*it)[1];
  }
}

TEST(TreeTest, EveryConfigurationKeyIsInTheReference) {
  static const std::regex kKey(R"re((?:reader\.\w+\(|", )"([a-z_.]+)")re");
  const std::string text = ReadFile("docs/reference/configuration.md");
  int keys = 0;
  for (const std::string& file : FilesBelow({"common/config"})) {
    const std::string source = ReadFile(file);
    for (std::sregex_iterator it(source.begin(), source.end(), kKey), end; it != end; ++it) {
      EXPECT_TRUE(absl::StrContains(text, absl::StrCat("`", (*it)[1].str(), "`"))) << (*it)[1];
      ++keys;
    }
  }
  EXPECT_GT(keys, 15);
}

TEST(TreeTest, LinksInDocumentsLeadSomewhere) {
  static const std::regex kLink(R"(\]\(([^)#]+)(#[^)]*)?\))");
  std::vector<std::string> documents = FilesBelow({"docs"});
  documents.push_back("README.md");
  for (const std::string& file : documents) {
    if (!EndsWith(file, ".md")) continue;
    const std::string text = ReadFile(file);
    for (std::sregex_iterator it(text.begin(), text.end(), kLink), end; it != end; ++it) {
      const std::string target = (*it)[1];
      if (absl::StrContains(target, "://")) continue;
      const fs::path path = fs::path(HOSTQ_SOURCE_DIR) / fs::path(file).parent_path() / target;
      EXPECT_TRUE(fs::exists(path)) << file << " links to " << target;
    }
  }
}

}  // namespace
}  // namespace hostq::lint
