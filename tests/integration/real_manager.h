#pragma once

#include <string>
#include <vector>

#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "programs.h"
#include "tests/unit/cli/process.h"

namespace hostq::manager::testing {

// The real hostq-manager on loopback, in a folder of its own, and the real hostq at its socket.
class RealManager {
 public:
  // `more`: sections of its configuration.
  explicit RealManager(const std::string& more = "");

  const Folder& folder() const { return folder_; }
  Program& program() { return program_; }
  std::string state(const std::string& name) const { return folder_.path() + "/state/" + name; }
  const std::string& agents_address() const { return agents_; }
  const std::string& api_address() const { return api_; }
  const std::string& https_address() const { return https_; }

  // hostq-manager init with these words: its exit code.
  int Init(const std::vector<std::string>& words = {});
  // hostq-manager run. Whether it answers within 20 s; not if it ends.
  bool Start();
  // hostq, with its words separated by blanks, or as they are. `as`: who uses sudo.
  hostq::testing::Finished Hostq(const std::string& line);
  hostq::testing::Finished Hostq(const std::vector<std::string>& words,
                                 const std::string& as = "alice");
  // What hostq says with --output json. Fails the test if it refuses, or says something else.
  template <typename Message>
  Message Json(const std::string& line) {
    const hostq::testing::Finished run = Hostq(line + " --output json");
    EXPECT_EQ(run.exit_code, 0) << line << "\n" << run.err;
    Message message;
    const auto parsed = google::protobuf::util::JsonStringToMessage(run.out, &message);
    EXPECT_TRUE(parsed.ok()) << parsed << "\n" << run.out;
    return message;
  }

 private:
  Folder folder_;
  const std::string agents_;
  const std::string api_;
  const std::string https_;
  const std::string config_;
  Program program_;
};

}  // namespace hostq::manager::testing
