// Goal: what people look at most fits 40, 80 and 200 columns, and stays as it was when it was
// looked at. Method: texts in tests/unit/cli/golden, one a view and width; HOSTQ_WRITE_GOLDEN=1
// writes them anew, to be looked at and committed.

#include "manager/cli/overview_view.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/cli/node_view.h"
#include "manager/cli/progress.h"
#include "tests/unit/cli/fake_manager.h"
#include "tests/unit/cli/sample_cluster.h"

namespace hostq::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const absl::Time kSampleTime = absl::FromUnixSeconds(1'800'000'000);

View At(size_t width) {
  return View{kSampleTime, absl::UTCTimeZone(), width, std::min<size_t>(width, 100), false};
}

TopFacts SampleTop() {
  testing::FakeManager manager;
  FillIn(manager, kSampleTime);
  TopFacts facts;
  facts.overview = manager.overview;
  for (const v1::Node& node : manager.nodes) *facts.nodes.add_nodes() = node;
  return facts;
}

struct Golden {
  const char* name;
  std::string (*render)(const View& view);
};

const Golden kGoldens[] = {
    {"overview",
     [](const View& view) { return RenderOverview(testing::SampleOverview(kSampleTime), view); }},
    {"top", [](const View& view) { return RenderTop(SampleTop(), 0, view); }},
    {"doctor",
     [](const View& view) { return RenderDiagnosis(testing::SampleDiagnosis(kSampleTime), view); }},
    {"nodes", [](const View& view) { return RenderNodes(SampleTop().nodes, view); }},
    {"node", [](const View& view) { return RenderNode(testing::CheckedNode(kSampleTime), view); }},
    {"command",
     [](const View& view) { return RenderCommand(testing::ParkedCommand(kSampleTime), view); }},
    {"stuck",
     [](const View& view) {
       v1::ListFindingsResponse response;
       *response.add_findings() = testing::ParkedFinding(kSampleTime);
       *response.add_findings() = testing::QuotaFinding(kSampleTime);
       return RenderStuck(response, view);
     }},
};

size_t Widest(const std::string& text) {
  size_t widest = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // Commands that can be copied are not broken.
    if (!absl::StrContains(line, "hostq ")) widest = std::max(widest, DisplayWidth(line));
  }
  return widest;
}

TEST(GoldenTest, ViewsAreAsTheyWereLookedAt) {
  for (const Golden& golden : kGoldens) {
    for (const size_t width : {40, 80, 200}) {
      const std::string text = golden.render(At(width));
      // Narrower than any terminal was: tables become blocks, and headings are the terminal's to
      // wrap.
      if (width >= 80) {
        EXPECT_LE(Widest(text), width) << golden.name << "\n" << text;
      }
      const std::string path = absl::StrCat(HOSTQ_SOURCE_DIR, "/tests/unit/cli/golden/",
                                            golden.name, "-", width, ".txt");
      if (std::getenv("HOSTQ_WRITE_GOLDEN") != nullptr) std::ofstream(path) << text;
      std::stringstream kept;
      kept << std::ifstream(path).rdbuf();
      EXPECT_EQ(text, kept.str()) << path;
    }
  }
}

size_t Lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(TopTest, FitsEveryHeightAndBeginsWithWhatIsStuck) {
  for (size_t height = 1; height < 60; ++height) {
    for (const size_t width : {40, 80, 200}) {
      const std::string text = RenderTop(SampleTop(), height, At(width));
      EXPECT_LE(Lines(text), height) << text;
      if (height > 2) {
        EXPECT_THAT(text, StartsWith("Stuck: 2 causes"));
      }
    }
  }
}

TEST(TopTest, ManyCausesLeaveRoomForTheState) {
  TopFacts facts = SampleTop();
  for (int i = 0; i < 98; ++i) *facts.overview.add_causes() = facts.overview.causes(0);
  facts.overview.set_causes_left_out(7);
  const std::string text = RenderTop(facts, 30, At(100));
  EXPECT_THAT(text, StartsWith("Stuck: 107 causes"));
  EXPECT_THAT(text, HasSubstr("more lines)"));
  EXPECT_THAT(text, HasSubstr("\nLast hour"));
}

TEST(TopTest, SaysWhenNothingIsTheMatter) {
  const std::string text = RenderTop(TopFacts(), 30, At(80));
  EXPECT_THAT(text, StartsWith("Nothing is stuck.\n"));
  EXPECT_THAT(text, HasSubstr("none yet: hostq node add --help"));
}

// What a node wrote cannot change the terminal.
TEST(TopTest, NothingGetsThroughToTheTerminal) {
  TopFacts facts = SampleTop();
  facts.overview.mutable_causes(0)->set_subject("\x1b[2J");
  facts.overview.mutable_manager()->set_cluster("\x1b[2J");
  facts.nodes.mutable_nodes(0)->set_name("\x1b[2J");
  facts.overview.mutable_in_flight(0)->set_current_step("\x1b[2J");
  EXPECT_EQ(RenderTop(facts, 0, At(80)).find('\x1b'), std::string::npos);
  v1::Diagnosis diagnosis = testing::SampleDiagnosis(kSampleTime);
  diagnosis.mutable_checks(1)->set_message("\x1b[2J");
  EXPECT_EQ(RenderDiagnosis(diagnosis, At(80)).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace hostq::cli
