#include <csignal>
#include <cstdio>

#include "absl/time/clock.h"
#include "tests/unit/cli/fake_manager.h"
#include "tests/unit/cli/sample_cluster.h"

// The sample cluster at a socket, for looking at what hostq prints:
//   cli_fake_manager /tmp/hostq.sock & HOSTQ_SOCKET=/tmp/hostq.sock hostq stuck
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: cli_fake_manager SOCKET\n");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  hostq::testing::FakeManager manager;
  hostq::testing::FillIn(manager, absl::Now());
  manager.next_id = hostq::testing::kDoneId;
  manager.Start(argv[1]);
  int received = 0;
  sigwait(&signals, &received);
  return 0;
}
