#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "hostq/agent/v1/executor.pb.h"

namespace hostq::manager::testing {

// Whether it is so within that time, looked at every 20 ms.
bool Eventually(const std::function<bool()>& condition,
                std::chrono::seconds within = std::chrono::seconds(20));
std::string ReadText(const std::string& path);

// A folder that goes with the test, and that other users may look into.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  // Writes a file there and returns its path.
  std::string Write(const std::string& name, const std::string& text, int mode = 0600) const;

 private:
  std::string path_;
};

// One program as a child process. Killed with the test.
class Program {
 public:
  // Its output goes to LOG.out and LOG.err, anew at each start.
  explicit Program(std::string log) : log_(std::move(log)) {}
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Start(const std::vector<std::string>& arguments,
             const std::map<std::string, std::string>& environment = {});
  // Until it ends: its exit code, or 1000 and the signal. -1: it runs after 20 s.
  int Wait();
  int Run(const std::vector<std::string>& arguments,
          const std::map<std::string, std::string>& environment = {});
  int End(int signal_number);
  // Without waiting for anything.
  void Signal(int signal_number);
  bool running();
  // By SIGSTOP.
  bool stopped() const;
  std::string out() const { return ReadText(log_ + ".out"); }
  std::string err() const { return ReadText(log_ + ".err"); }

 private:
  const std::string log_;
  pid_t pid_ = -1;
  int code_ = -1;
};

// Answers for hostq-executor on its socket: every step succeeds, at once or when it is told to.
class ScriptedExecutor {
 public:
  explicit ScriptedExecutor(const std::string& socket);
  ~ScriptedExecutor();
  // The steps of this key wait for Release().
  void Hold(const std::string& resource_key);
  void Release();
  // How many steps of this key it was asked for.
  int Asked(const std::string& resource_key);

 private:
  void Serve();
  void Take(const agent::v1::RunStep& step);

  const int listener_;
  Mutex mutex_;
  std::map<std::string, int> asked_ ABSL_GUARDED_BY(mutex_);
  std::string held_key_ ABSL_GUARDED_BY(mutex_);
  std::vector<agent::v1::RunStep> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<agent::v1::RunStep> done_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hostq::manager::testing
