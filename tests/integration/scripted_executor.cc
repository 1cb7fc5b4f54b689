// scripted_executor SOCKET...: answers for hostq-executor on these sockets: every step succeeds.
// Until it is ended.
#include <unistd.h>

#include <memory>
#include <vector>

#include "programs.h"

int main(int argc, char** argv) {
  std::vector<std::unique_ptr<hostq::manager::testing::ScriptedExecutor>> executors;
  for (int i = 1; i < argc; ++i) {
    executors.push_back(std::make_unique<hostq::manager::testing::ScriptedExecutor>(argv[i]));
  }
  for (;;) pause();
}
