// Goal: what is counted of the queue is what `hostq stuck` would say, in pieces of any size.
#include "manager/domain/census.h"

#include <gmock/gmock.h>

#include "manager/domain/findings.h"
#include "queue_harness.h"

namespace hostq::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Census CensusOf(QueueHarness& h, size_t piece = 1'000'000) {
  Census census;
  std::optional<CommandId> from = 0;
  while (from) from = Count(h.queue, *from, piece, h.now, census);
  return census;
}

uint64_t TasksIn(const Census& census, Phase phase) {
  return census.phases[static_cast<size_t>(phase)].tasks;
}

// web1 works on one, has a second ready, a third behind the first; web2 is away.
void Fill(QueueHarness& h) {
  h.AddNode("web1");
  h.AddNode("web2");
  h.Connect("web1", 1);
  h.Submit("a/x", {{"web1", 0}});
  h.Advance(absl::Seconds(5));
  h.Submit("a/y", {{"web1", 0}});
  h.Submit("a/x", {{"web1", 0}});
  h.Submit("a/z", {{"web2", 0}});
  h.Submit("a/later", {{"web1", 0}}, {.not_before = h.now.wall + absl::Hours(1)});
  h.Advance(absl::Seconds(60));
}

TEST(CensusTest, EachTaskIsWhatItWaitsFor) {
  QueueHarness h;
  Fill(h);
  const Census census = CensusOf(h);
  EXPECT_EQ(census.commands, 5u);
  EXPECT_EQ(TasksIn(census, Phase::kLeased), 1u);
  EXPECT_EQ(TasksIn(census, Phase::kQueued), 3u);
  EXPECT_EQ(census.delayed, 1u);
  EXPECT_EQ(census.ready.tasks, 1u);
  EXPECT_EQ(h.now.wall - census.ready.oldest, absl::Seconds(60));
  EXPECT_EQ(census.behind, 1u);
  EXPECT_THAT(census.stuck,
              ElementsAre(Pair(Reason::kNodeOffline, 1u), Pair(Reason::kNotAccepted, 1u)));
  EXPECT_EQ(h.now.wall - census.phases[static_cast<size_t>(Phase::kLeased)].oldest,
            absl::Seconds(65));
}

TEST(CensusTest, PiecesAddUp) {
  QueueHarness h;
  Fill(h);
  for (int i = 0; i < 50; ++i) h.Submit("b/" + std::to_string(i), {{"web1", 0}, {"web2", 0}});
  const Census whole = CensusOf(h);
  const Census pieces = CensusOf(h, 1);
  EXPECT_EQ(pieces.commands, whole.commands);
  EXPECT_EQ(pieces.stuck, whole.stuck);
  EXPECT_EQ(pieces.ready.tasks, whole.ready.tasks);
  EXPECT_EQ(pieces.ready.tasks, 51u);
  EXPECT_EQ(TasksIn(pieces, Phase::kQueued), TasksIn(whole, Phase::kQueued));
}

// The short way to see that a task only waits for its node says what the long way says.
TEST(CensusTest, WhatIsReadyIsWhatIsExplainedAsReady) {
  for (const bool paused : {false, true}) {
    QueueHarness h;
    Fill(h);
    if (paused) h.SetPause(PauseScope::kKind, "a", true);
    const Census census = CensusOf(h);
    uint64_t ready = 0;
    for (const auto& [id, command] : h.queue.commands()) {
      for (const Task& task : command.tasks) {
        const auto finding = Explain(h.queue, command, task, h.now);
        if (finding && finding->reason == Reason::kNoCredit) ++ready;
      }
    }
    EXPECT_EQ(census.ready.tasks, ready) << paused;
    EXPECT_EQ(census.stuck.contains(Reason::kKindPaused), paused);
  }
}

TEST(CensusTest, AnEmptyQueueIsWell) {
  QueueHarness h;
  const Census census = CensusOf(h);
  EXPECT_EQ(census.commands, 0u);
  EXPECT_THAT(census.stuck, IsEmpty());
  EXPECT_EQ(census.ready.oldest, absl::InfiniteFuture());
}

// --- what the queue has seen pass ---

TEST(QueueStatsTest, TimesFromScheduleToFinish) {
  QueueHarness h;
  h.AddNode("web1");
  h.Submit("a/x", {{"web1", 0}});
  h.Advance(absl::Seconds(3));
  h.Connect("web1");
  const Lease lease = h.assigns.back().lease;
  h.Advance(absl::Seconds(1));
  h.Accept(lease);
  h.Advance(absl::Seconds(2));
  h.Progress(lease);
  h.Advance(absl::Seconds(7));
  h.Result(lease);
  const QueueStats& stats = h.queue.stats();
  EXPECT_EQ(stats.schedule_to_accept.count(), 1u);
  EXPECT_DOUBLE_EQ(stats.schedule_to_accept.sum(), 4);
  EXPECT_DOUBLE_EQ(stats.accept_to_start.sum(), 2);
  EXPECT_DOUBLE_EQ(stats.start_to_finish.sum(), 7);
  EXPECT_EQ(stats.finished[static_cast<size_t>(Outcome::kSucceeded)], 1u);
  EXPECT_EQ(stats.leases, 1u);
  EXPECT_EQ(stats.commands, 1u);
}

}  // namespace
}  // namespace hostq::manager
