#pragma once

#include <initializer_list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/histogram.h"

namespace hostq::manager {

// A page in Prometheus's text format (0.0.4). Every metric of AllMetrics() is on it, also one that
// has no value yet. Belongs to one thread.
class Page {
 public:
  Page();
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  // `name` must be in the list, with as many labels, and not have had a value with these.
  using Labels = std::initializer_list<absl::string_view>;
  void Add(absl::string_view name, Labels labels, double value);
  void Add(absl::string_view name, Labels labels, const Histogram& histogram);
  std::string Text() const;

 private:
  struct Families;
  const std::unique_ptr<Families> families_;
};

inline constexpr char kPageContentType[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace hostq::manager
