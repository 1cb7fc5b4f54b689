#pragma once

#include <string>
#include <vector>

#include "tests/crash/load.h"

namespace hostq::crash {

// What is counted afterwards, from outside: through the API, and on the nodes.
struct Findings {
  int commands = 0;
  int tasks = 0;
  int effects = 0;       // addresses that came or went, as the kernel told
  int attempts = 0;      // of all tasks
  int repeated = 0;      // attempts beyond each task's first: crashes, mostly
  int lost_answers = 0;  // submissions done by a call that had no answer
  // Acknowledged, but not there, or not done.
  std::vector<std::string> lost;
  // More than once: a command of a request, a result of a task, an effect on a node.
  std::vector<std::string> duplicates;
};

struct Node {
  std::string name;
  std::string monitor;  // file of what `ip -o monitor address` said there
  std::string netns;
};

// Everything has finished, and the manager runs. Reads every command, every event and every change
// of an address, and holds it against what was submitted.
Findings Check(const std::string& socket, const std::vector<Submission>& submissions,
               const std::vector<Node>& nodes);

}  // namespace hostq::crash
