// Goal: what was confirmed survives a loss of power, whatever of the rest the disk has kept.
// Method: the real databases on a disk that knows what has been synced (tests/testing/faulty_disk);
// the power goes before every single operation of a run in turn, and at random moments of long
// ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "tests/contract/durable.h"

namespace hostq::testing {
namespace {

using Unsynced = FaultyDisk::Unsynced;

// Enough for several checkpoints.
constexpr int kSteps = 9;

// Steps from `first` on until one fails, or `count` are done. The last one that was confirmed.
int RunSteps(Durable& database, int first, int count) {
  for (int number = first; number < first + count; ++number) {
    if (!database.Step(number).ok()) return number - 1;
  }
  return first + count - 1;
}

// The power comes back: what was confirmed up to `confirmed` must be there, and at most the step
// that nobody knows of; the database must be sound and take further steps. The last one that is
// there.
absl::StatusOr<int> Recover(DurablePlace& place, int confirmed, Unsynced unsynced,
                            std::mt19937_64& random) {
  place.database().Close();
  place.disk().RestorePower(unsynced, random);
  HOSTQ_RETURN_IF_ERROR(place.CheckIntegrity());
  HOSTQ_RETURN_IF_ERROR(place.database().Open());
  HOSTQ_ASSIGN_OR_RETURN(const int last, place.database().Read());
  if (last < confirmed || last > confirmed + 1) {
    return absl::DataLossError(absl::StrCat(confirmed, " was confirmed, ", last, " is there"));
  }
  const int further = RunSteps(place.database(), last + 1, 2);
  if (further != last + 2) return absl::DataLossError("it takes no further steps");
  return further;
}

// A run from nothing, with the power going at operation `cut`. `operations`: those of the run.
absl::Status Lose(const MakeDurable& make, int64_t cut, Unsynced unsynced, uint64_t seed,
                  bool ignore_syncs, int64_t* operations = nullptr) {
  std::mt19937_64 random(seed);
  DurablePlace place(make);
  if (ignore_syncs) place.disk().IgnoreSyncs();
  place.disk().CutPowerAt(cut);
  int confirmed = 0;
  if (place.database().Open().ok()) confirmed = RunSteps(place.database(), 1, kSteps);
  place.database().Close();
  if (operations != nullptr) *operations = place.disk().operations();
  return Recover(place, confirmed, unsynced, random).status();
}

// A run in which one sync fails; after it the database is opened again and goes on.
absl::Status LoseAfterFailedSync(const MakeDurable& make, int64_t skip, bool died,
                                 Unsynced unsynced) {
  std::mt19937_64 random(static_cast<uint64_t>(skip));
  DurablePlace place(make, skip % 2 == 0 ? 16 : 1000);
  HOSTQ_RETURN_IF_ERROR(place.database().Open());
  place.disk().Fail(FaultyDisk::Error::kSync, skip, 1);
  int confirmed = RunSteps(place.database(), 1, kSteps);
  place.disk().Fail(FaultyDisk::Error::kNone);
  if (confirmed < kSteps) {
    if (died) {
      place.disk().EndProcess();
      place.database().Close();
      place.disk().BeginProcess();
    }
    HOSTQ_RETURN_IF_ERROR(place.database().Open());
    // The step that failed may be there.
    HOSTQ_ASSIGN_OR_RETURN(const int last, place.database().Read());
    confirmed = RunSteps(place.database(), last + 1, 3);
  }
  place.disk().CutPowerAt(place.disk().operations() + 1);
  return Recover(place, confirmed, unsynced, random).status();
}

int64_t OperationsOf(const MakeDurable& make) {
  int64_t operations = 0;
  EXPECT_TRUE(Lose(make, INT64_MAX, Unsynced::kKept, 0, false, &operations).ok());
  return operations;
}

struct Case {
  std::string name;
  MakeDurable make;
};

class PowerLossTest : public ::testing::TestWithParam<Case> {};

TEST_P(PowerLossTest, AtEveryOperationNothingConfirmedIsLost) {
  const MakeDurable& make = GetParam().make;
  const int64_t operations = OperationsOf(make);
  ASSERT_GT(operations, 80);
  for (int64_t cut = 1; cut <= operations + 1; ++cut) {
    for (const Unsynced unsynced : {Unsynced::kLost, Unsynced::kTorn, Unsynced::kKept}) {
      if (unsynced == Unsynced::kKept && cut % 5 != 0) continue;  // the least that can happen
      const auto seed = static_cast<uint64_t>(cut);
      const absl::Status status = Lose(make, cut, unsynced, seed, false);
      ASSERT_TRUE(status.ok()) << "cut at " << cut << " of " << operations << ", unsynced "
                               << static_cast<int>(unsynced) << ": " << status;
    }
  }
  RecordProperty("operations", static_cast<int>(operations));
}

// One database that loses power again and again.
TEST_P(PowerLossTest, AtRandomMomentsOfALongLife) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    std::mt19937_64 random(seed);
    DurablePlace place(GetParam().make);
    ASSERT_TRUE(place.database().Open().ok());
    int last = 0;
    for (int life = 0; life < 40; ++life) {
      place.disk().CutPowerAt(place.disk().operations() + 1 + static_cast<int64_t>(random() % 300));
      const int confirmed = RunSteps(place.database(), last + 1, 40);
      // Sometimes it is closed in order before the power goes.
      const auto unsynced = static_cast<Unsynced>(random() % 3);
      const absl::StatusOr<int> recovered = Recover(place, confirmed, unsynced, random);
      ASSERT_TRUE(recovered.ok()) << "seed " << seed << ", life " << life << ": "
                                  << recovered.status();
      last = *recovered;
    }
  }
}

// A failed sync may have lost what was written, also if the next one succeeds. The database is
// opened again, by the same process or after its death, and goes on; then the power goes.
TEST_P(PowerLossTest, AfterAFailedSyncNothingConfirmedIsLost) {
  for (const bool died : {false, true}) {
    for (int64_t skip = 0; skip < 30; ++skip) {
      for (const Unsynced unsynced : {Unsynced::kLost, Unsynced::kKept, Unsynced::kTorn}) {
        const absl::Status status = LoseAfterFailedSync(GetParam().make, skip, died, unsynced);
        ASSERT_TRUE(status.ok()) << "sync " << skip << ", died " << died << ", unsynced "
                                 << static_cast<int>(unsynced) << ": " << status;
      }
    }
  }
}

// That the tests above can fail.
TEST_P(PowerLossTest, ADiskThatIgnoresSyncsIsFoundOut) {
  const MakeDurable& make = GetParam().make;
  const int64_t operations = OperationsOf(make);
  int lost = 0;
  for (int64_t cut = 1; cut <= operations; cut += 5) {
    lost += !Lose(make, cut, Unsynced::kLost, 1, true).ok();
  }
  EXPECT_GT(lost, operations / 5 / 2) << "of " << operations / 5;
}

INSTANTIATE_TEST_SUITE_P(, PowerLossTest,
                         ::testing::Values(Case{"Store", StoreMaker()},
                                           Case{"Journal", JournalMaker()},
                                           Case{"Table", TableMaker("FULL")}),
                         [](const auto& one) { return one.param.name; });

TEST(SynchronousTest, OffIsFoundOut) {
  const MakeDurable make = TableMaker("OFF");
  const int64_t operations = OperationsOf(make);
  int lost = 0;
  int damaged = 0;
  for (int64_t cut = 1; cut <= operations; ++cut) {
    lost += !Lose(make, cut, Unsynced::kLost, 1, false).ok();
    damaged += !Lose(make, cut, Unsynced::kTorn, static_cast<uint64_t>(cut), false).ok();
  }
  EXPECT_GT(lost, operations / 2) << "of " << operations;
  EXPECT_GT(damaged, 0);
}

}  // namespace
}  // namespace hostq::testing
