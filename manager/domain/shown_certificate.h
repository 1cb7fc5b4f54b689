#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace hostq::manager {

// A node's certificate that somebody showed, after its signature was verified. Plain data.
struct ShownCertificate {
  std::string node;
  int64_t incarnation = 0;
  // Lower-case hexadecimal.
  std::string serial;
  absl::Time not_before;
  absl::Time not_after;
  // The pin of the authority that signed it; empty: one below an authority from outside.
  std::string authority;
};

}  // namespace hostq::manager
