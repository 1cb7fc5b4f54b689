#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hostq::manager {

// One metric that the manager shows. Literals, all of them.
struct Metric {
  enum class Type { kCounter, kGauge, kHistogram };
  const char* name;
  Type type;
  const char* labels;  // their names, by comma
  const char* help;
};

// Every metric there is, in the order of the page. What they mean, and how many values each label
// may have, is in docs/reference/metrics.md; a test compares the two and what a manager shows.
absl::Span<const Metric> AllMetrics();
// Must be in the list.
const Metric& MetricOf(absl::string_view name);

}  // namespace hostq::manager
