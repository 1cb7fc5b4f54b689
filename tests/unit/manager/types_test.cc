// The words of the domain, as people read them in events and findings.
#include "manager/domain/types.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/base/id.h"

namespace hostq::manager {
namespace {

// Each has a name of its own; what is none of them is "?".
template <typename Enum>
void ExpectNames(int first, int last) {
  std::set<std::string> names;
  for (int number = first; number <= last; ++number) {
    names.insert(std::string(NameOf(static_cast<Enum>(number))));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(last - first + 1));
  EXPECT_FALSE(names.contains("?"));
  EXPECT_EQ(NameOf(static_cast<Enum>(last + 1)), "?");
}

TEST(TypesTest, EveryStateHasItsName) {
  ExpectNames<Phase>(1, 8);
  ExpectNames<Outcome>(0, 5);
  ExpectNames<CommandState>(1, 5);
  EXPECT_EQ(NameOf(Phase::kBackingOff), "BACKING_OFF");
  EXPECT_EQ(NameOf(Outcome::kExpired), "EXPIRED");
  EXPECT_EQ(NameOf(CommandState::kSuperseded), "SUPERSEDED");
}

TEST(TypesTest, TaskIsFoundByItsNodeAndNamedAfterIt) {
  Command command;
  command.id = 4711;
  for (const char* node : {"web1", "web2"}) command.tasks.emplace_back().node = node;
  EXPECT_EQ(command.FindTask("web2"), &command.tasks[1]);
  EXPECT_EQ(command.FindTask("web"), nullptr);
  EXPECT_EQ(TaskIdOf(command.id, "web2"), FormatId(4711) + "/web2");
}

}  // namespace
}  // namespace hostq::manager
