// Configuration files of manager and agent: any text is either taken or refused with messages that
// can be shown.
#include <string>

#include "common/config/agent_config.h"
#include "common/config/manager_config.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostq::fuzz::Input input(data, size);
  const bool manager = input.Byte() % 2 == 0;
  const std::string text(input.Rest());
  const absl::Status status = manager ? hostq::ParseManagerConfig(text, "m.toml").status()
                                      : hostq::ParseAgentConfig(text, "a.toml").status();
  HOSTQ_CHECK(status.ok() || hostq::ReasonOf(status) == hostq::Reason::kInvalidArgument);
  HOSTQ_CHECK(status.ok() || !status.message().empty());
  for (const char c : status.message()) HOSTQ_CHECK(c == '\n' || static_cast<uint8_t>(c) >= ' ');
  hostq::fuzz::CheckText(status.message());
  return 0;
}
