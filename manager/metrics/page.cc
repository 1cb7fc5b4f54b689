#include "manager/metrics/page.h"

#include <limits>
#include <sstream>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "manager/metrics/metric_list.h"
#include "prometheus/metric_family.h"
#include "prometheus/text_serializer.h"

namespace hostq::manager {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;

MetricType TypeOf(Metric::Type type) {
  switch (type) {
    case Metric::Type::kCounter:
      return MetricType::Counter;
    case Metric::Type::kGauge:
      return MetricType::Gauge;
    case Metric::Type::kHistogram:
      return MetricType::Histogram;
  }
  return MetricType::Untyped;
}

}  // namespace

struct Page::Families {
  std::vector<prometheus::MetricFamily> list;
  absl::flat_hash_map<std::string, size_t> by_name;

  // A new value of the metric, with its labels.
  ClientMetric& Add(absl::string_view name, Labels labels, bool histogram) {
    const Metric& metric = MetricOf(name);
    HOSTQ_CHECK(histogram == (metric.type == Metric::Type::kHistogram));
    ClientMetric& added = list[by_name.at(name)].metric.emplace_back();
    auto value = labels.begin();
    for (const absl::string_view label : absl::StrSplit(metric.labels, ',', absl::SkipEmpty())) {
      HOSTQ_CHECK(value != labels.end());
      added.label.push_back({std::string(label), std::string(*value++)});
    }
    HOSTQ_CHECK(value == labels.end());
    return added;
  }
};

Page::Page() : families_(std::make_unique<Families>()) {
  for (const Metric& metric : AllMetrics()) {
    families_->by_name[metric.name] = families_->list.size();
    families_->list.push_back({metric.name, metric.help, TypeOf(metric.type), {}});
  }
}

Page::~Page() = default;

void Page::Add(absl::string_view name, Labels labels, double value) {
  ClientMetric& added = families_->Add(name, labels, false);
  added.counter.value = added.gauge.value = value;
}

void Page::Add(absl::string_view name, Labels labels, const Histogram& histogram) {
  ClientMetric::Histogram& added = families_->Add(name, labels, true).histogram;
  uint64_t sum = 0;
  for (size_t i = 0; i < histogram.counts().size(); ++i) {
    sum += histogram.counts()[i];
    const bool last = i == histogram.bounds().size();
    added.bucket.push_back(
        {sum, last ? std::numeric_limits<double>::infinity() : histogram.bounds()[i]});
  }
  added.sample_count = sum;
  added.sample_sum = histogram.sum();
}

std::string Page::Text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_->list);
  return out.str();
}

}  // namespace hostq::manager
