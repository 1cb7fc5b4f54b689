// What an agent finds in its journal when it starts: rows with anything in their columns, as after
// a damaged disk or another version. It starts with them, tells the manager in messages that can be
// read, or says that the journal is unusable.
//
// The input is a list of rows: one byte each for the state and the type of the columns, chunks.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/journal/sqlite_journal.h"
#include "agent/link/session_logic.h"
#include "agent/runner/convert.h"
#include "common/sqlite/database.h"
#include "input.h"

namespace hostq::agent {
namespace {

// A journal in a folder of its own, which goes when the program ends. The database below it stays
// reachable: it is opened once and not for each input, which would take most of the time.
struct Place {
  Place() {
    const char* folder = getenv("TMPDIR");
    directory = absl::StrCat(folder == nullptr ? "/tmp" : folder, "/hostq-fuzz.XXXXXX");
    HOSTQ_CHECK(mkdtemp(directory.data()) != nullptr);
    auto opened =
        *sqlite::Database::Open(directory + "/journal.db", SqliteJournal::DefaultOptions());
    database = opened.get();
    journal = *SqliteJournal::Over(std::move(opened));
  }
  ~Place() { std::filesystem::remove_all(directory); }

  std::string directory;
  std::unique_ptr<SqliteJournal> journal;
  sqlite::Database* database;  // of the journal
};

void Fill(sqlite::Database* database, fuzz::Input& input) {
  HOSTQ_CHECK(database->Execute("DELETE FROM task; DELETE FROM resource").ok());
  auto transaction = *sqlite::Transaction::Begin(*database);
  auto insert = *database->Prepare(
      "INSERT OR REPLACE INTO task(task_id,attempt,epoch,resource_key,kind,work,roles,timeout_us,"
      "state,result) VALUES(?,?,?,?,?,?,?,?,?,?)");
  auto key = *database->Prepare("INSERT OR REPLACE INTO resource(resource_key,epoch) VALUES(?,?)");
  for (int i = 0; i < 8 && !input.empty(); ++i) {
    const uint8_t state = input.Byte();
    const uint8_t odd = input.Byte();  // columns of another type than they should be
    const std::string id(input.Chunk()), resource(input.Chunk()), work(input.Chunk());
    const auto epoch = static_cast<int64_t>(input.Byte() * 0x0101010101010101ULL);
    const std::string kinds[] = {"bind_address", "set_quota", "preflight", id};
    for (int column = 1; column <= 10; ++column) insert.BindInt64(column, epoch);
    if ((odd & 1) == 0) insert.BindText(1, id);
    if ((odd & 2) == 0) insert.BindInt64(2, 1 + state / 16);
    if ((odd & 4) != 0) insert.BindText(3, id);
    if ((odd & 8) == 0) insert.BindText(4, resource);
    insert.BindText(5, kinds[state / 4 % 4]);
    if ((odd & 16) == 0) insert.BindBlob(6, work);
    insert.BindText(7, (odd & 32) == 0 ? absl::string_view("app,storage") : resource);
    if ((odd & 64) == 0) insert.BindInt64(8, 1'000'000);
    insert.BindInt64(9, state % 4);
    if ((odd & 128) == 0) insert.BindBlob(10, work);
    HOSTQ_CHECK(insert.Execute().ok());
    HOSTQ_CHECK(key.Run(resource, epoch).ok());
  }
  HOSTQ_CHECK(transaction.Commit().ok());
}

void Run(Journal& journal) {
  FakeClock clock;
  SeededRandom random(1);
  SessionOptions options;
  options.kinds = SupportedKinds();
  SessionLogic logic(
      options,
      [](const v1::Work& work, const Roles& roles) { return PlanSteps(work, roles, Policy()); },
      journal, clock, random);
  if (!logic.Start().ok()) return;
  logic.OnExecutorReady();
  for (int i = 0; i < 4; ++i) {
    const Effects effects = logic.Flush();
    for (const v1::AgentMessage& message : effects.messages) {
      v1::AgentMessage read;
      HOSTQ_CHECK(read.ParseFromString(message.SerializeAsString()));
    }
    if (effects.connect) {
      v1::ManagerMessage welcome;
      welcome.mutable_welcome();
      logic.OnMessage(*effects.connect, welcome);
    }
    for (const v1::RunStep& step : effects.steps) {
      v1::ExecutorReport report;
      report.mutable_step_done()->set_id(step.id());
      logic.OnExecutorReport(report);
    }
    clock.Advance(absl::Seconds(10));
  }
}

}  // namespace
}  // namespace hostq::agent

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostq::agent;
  static const Place place;
  hostq::fuzz::Input input(data, size);
  Fill(place.database, input);
  Run(*place.journal);
  return 0;
}
