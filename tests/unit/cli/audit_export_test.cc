// Goal: an export is whole, whatever the manager writes and deletes meanwhile. Method: the real
// hostq at a manager whose audit changes between two of its calls.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "gmock/gmock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "hostq/v1/audit_service.grpc.pb.h"
#include "manager/audit/chain.h"
#include "tests/unit/cli/process.h"

namespace hostq::testing {
namespace {

using ::testing::HasSubstr;

// Two entries a page. hostq makes one call after the other.
class ChangingAudit final : public v1::AuditService::Service {
 public:
  void Append() {
    manager::AuditEntry entry;
    entry.sequence = head_.sequence() + 1;
    entry.time = absl::FromUnixSeconds(1'800'000'000 + entry.sequence);
    entry.actor = "alice";
    const std::string hash =
        manager::ChainHash(absl::HexStringToBytes(PreviousHash(head_.hash())), entry);
    v1::AuditEntry out;
    out.set_sequence(entry.sequence);
    out.mutable_time()->set_seconds(absl::ToUnixSeconds(entry.time));
    out.set_actor(entry.actor);
    out.set_count(1);
    out.set_hash(absl::BytesToHexString(hash));
    head_.set_sequence(entry.sequence);
    head_.set_hash(out.hash());
    entries_.push_back(std::move(out));
  }
  // The oldest, because of their age.
  void Delete(int count) {
    beginning_.set_sequence(entries_[count - 1].sequence());
    beginning_.set_hash(entries_[count - 1].hash());
    entries_.erase(entries_.begin(), entries_.begin() + count);
  }
  // Somebody does, in the database.
  void Remove(int index) { entries_.erase(entries_.begin() + index); }

  // Before the next call of this kind is answered, once.
  std::function<void()> before_list;
  std::function<void()> before_head;

 private:
  static std::string PreviousHash(const std::string& hash) {
    return hash.empty() ? std::string(64, '0') : hash;
  }
  static void Once(std::function<void()>& action) {
    if (action) std::exchange(action, nullptr)();
  }
  grpc::Status ListAuditEntries(grpc::ServerContext*, const v1::ListAuditEntriesRequest* request,
                                v1::ListAuditEntriesResponse* response) override {
    // An export's look at the place where it begins is no part of it.
    if (request->page_size() != 1) Once(before_list);
    int64_t after = request->since_sequence();
    if (!request->page_token().empty()) (void)absl::SimpleAtoi(request->page_token(), &after);
    const int size = std::min(2, request->page_size());
    for (const v1::AuditEntry& entry : entries_) {
      if (entry.sequence() <= after) continue;
      if (response->entries_size() == size) {
        response->set_next_page_token(absl::StrCat(after));
        break;
      }
      *response->add_entries() = entry;
      after = entry.sequence();
    }
    return grpc::Status::OK;
  }
  grpc::Status GetAuditHead(grpc::ServerContext*, const v1::GetAuditHeadRequest*,
                            v1::AuditHead* response) override {
    if (++heads_ > 1) Once(before_head);
    *response->mutable_beginning() = beginning_;
    if (beginning_.hash().empty()) response->mutable_beginning()->set_hash(std::string(64, '0'));
    *response->mutable_head() = head_;
    response->set_count(static_cast<int64_t>(entries_.size()));
    return grpc::Status::OK;
  }

  std::vector<v1::AuditEntry> entries_;
  v1::AuditPoint beginning_;
  v1::AuditPoint head_;
  int heads_ = 0;
};

class AuditExportTest : public ::testing::Test {
 protected:
  AuditExportTest() : directory_("/tmp/hostq-cli-XXXXXX") {
    HOSTQ_CHECK(mkdtemp(directory_.data()) != nullptr);
    for (int i = 0; i < 7; ++i) audit_.Append();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + directory_ + "/manager.sock",
                             grpc::InsecureServerCredentials());
    builder.RegisterService(&audit_);
    server_ = builder.BuildAndStart();
    HOSTQ_CHECK(server_ != nullptr);
  }
  ~AuditExportTest() override {
    server_->Shutdown();
    std::filesystem::remove_all(directory_);
  }
  Finished Run(std::vector<std::string> words) {
    words.insert(words.begin(), HOSTQ_BINARY);
    return RunProcess(words, {{"HOSTQ_SOCKET", directory_ + "/manager.sock"}}, "");
  }
  // What hostq makes of it, elsewhere and later.
  Finished Verified(const Finished& exported) {
    EXPECT_EQ(exported.exit_code, 0) << exported.err;
    std::ofstream(directory_ + "/audit.jsonl") << exported.out;
    return Run({"audit", "verify", "--file", directory_ + "/audit.jsonl"});
  }

  std::string directory_;
  ChangingAudit audit_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(AuditExportTest, AnEntryThatComesBeforeTheHeadIsReadIsInIt) {
  audit_.before_head = [this] { audit_.Append(); };
  const Finished exported = Run({"audit", "export", "--since", "7"});
  EXPECT_THAT(exported.out, HasSubstr("{\"sequence\":\"8\","));
  const Finished verified = Verified(exported);
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
}

// The head says so, and no listing has them.
TEST_F(AuditExportTest, AnEndThatWasCutOffEndsTheReading) {
  audit_.Remove(6);
  const Finished verified = Verified(Run({"audit", "export", "--since", "5"}));
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.out, HasSubstr("entry 7 is missing"));
}

TEST_F(AuditExportTest, WhatIsDeletedForItsAgeMeanwhileIsNotMissing) {
  audit_.before_list = [this] { audit_.Delete(3); };
  const Finished verified = Verified(Run({"audit", "export"}));
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("entries 4 to 7"));
}

// Deleted and removed at once: only the one is excused.
TEST_F(AuditExportTest, WhatIsRemovedIsMissingAllTheSame) {
  audit_.before_list = [this] {
    audit_.Delete(3);
    audit_.Remove(1);
  };
  const Finished verified = Verified(Run({"audit", "export"}));
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.out, HasSubstr("entry 5 is missing"));
  audit_.Remove(0);
  const Finished first = Verified(Run({"audit", "export"}));
  EXPECT_THAT(first.out, HasSubstr("entries 4 to 5 are missing"));
}

TEST_F(AuditExportTest, AnExportThatWasOvertakenSaysSo) {
  audit_.before_list = [this] { audit_.before_list = [this] { audit_.Delete(4); }; };
  const Finished exported = Run({"audit", "export"});
  EXPECT_EQ(exported.exit_code, 7) << exported.out;
  EXPECT_THAT(exported.err, HasSubstr("entries up to 4 were deleted because of their age"));
  EXPECT_THAT(exported.err, HasSubstr("export again"));
}

}  // namespace
}  // namespace hostq::testing
