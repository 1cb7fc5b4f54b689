// Page tokens of the API: a token is taken only for the request it was made for, and has one
// spelling.
#include <string>

#include "input.h"
#include "manager/api/page_token.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostq::manager;
  hostq::fuzz::Input input(data, size);
  const bool make = input.Byte() % 2 == 0;
  const std::string request(input.Chunk());
  const std::string text(input.Rest());
  if (make) {
    const auto position = ParsePageToken(MakePageToken(text, request), request);
    // An empty position is the first page, which has an empty token; a long one is never made.
    if (!text.empty() && text.size() < 700) HOSTQ_CHECK(position.ok() && *position == text);
  } else if (const auto position = ParsePageToken(text, request); position.ok()) {
    HOSTQ_CHECK(text.empty() || MakePageToken(*position, request) == text);
  }
  return 0;
}
