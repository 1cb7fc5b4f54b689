// Goal: the page is what Prometheus reads, what comes from outside cannot make it grow, and
// docs/reference/metrics.md has every metric. (Against a running manager: tests/monitoring/run.sh.)
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <regex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "manager/metrics/agent_board.h"
#include "manager/metrics/call_counts.h"
#include "manager/metrics/metric_list.h"
#include "manager/metrics/page.h"
#include "manager/metrics/process.h"

namespace hostq::manager {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PageTest, ValuesAndHistogramsAreWrittenAsPrometheusReadsThem) {
  Page page;
  page.Add("hostq_tasks", {"QUEUED"}, 3);
  page.Add("hostq_http_requests_total", {"a\"b\\c\nd", "200"}, 1);
  Histogram histogram(kCallBounds);
  histogram.Add(0.003);
  histogram.Add(60);
  page.Add("hostq_commit_seconds", {}, histogram);
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("# TYPE hostq_tasks gauge\nhostq_tasks{phase=\"QUEUED\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"a\\\"b\\\\c\\nd\",code=\"200\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hostq_commit_seconds_bucket{le=\"0.0025\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hostq_commit_seconds_bucket{le=\"0.005\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hostq_commit_seconds_bucket{le=\"10\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hostq_commit_seconds_bucket{le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hostq_commit_seconds_count 2\n"));
  // What has no value yet is there with its type.
  EXPECT_THAT(text, HasSubstr("# TYPE hostq_leases_total counter\n"));
}

TEST(CallCountsTest, NamesFromOutsideAreOneName) {
  CallCounts counts({"known"});
  counts.Ended("known", "OK", absl::Milliseconds(3));
  for (int i = 0; i < 1'000; ++i) {
    counts.Ended(absl::StrCat("made up ", i), "NOT_FOUND", absl::Milliseconds(1));
  }
  counts.StreamBegan("known");
  Page page;
  counts.Show("hostq_http_requests_total", "hostq_http_request_seconds", "hostq_http_streams",
              page);
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("hostq_http_requests_total{route=\"known\",code=\"OK\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("hostq_http_requests_total{route=\"other\",code=\"NOT_FOUND\"} 1000\n"));
  EXPECT_THAT(text, HasSubstr("hostq_http_streams{route=\"known\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("made up")));
}

TEST(AgentBoardTest, NodesAreNotBelieved) {
  AgentBoard board;
  agent::v1::AgentMetrics metrics;
  metrics.set_attempts(-5);
  metrics.set_outbox_age_ms(1'500);
  metrics.mutable_journal_commits()->add_counts(7);  // not as many as there are buckets
  metrics.mutable_journal_commits()->set_sum(std::numeric_limits<double>::quiet_NaN());
  for (const char* const kind : {"bind_address", "bind_address", "made_up", "kind", ""}) {
    agent::v1::StepTimes& steps = *metrics.add_steps();
    steps.set_kind(kind);
    steps.set_steps(4);
    steps.set_seconds(std::numeric_limits<double>::infinity());
  }
  board.Put("web1", metrics);
  board.Put("gone", metrics);
  Page page;
  board.Show([](absl::string_view node) { return node == "web1"; }, page);
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("hostq_agent_attempts_total{node=\"web1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hostq_agent_outbox_age_seconds{node=\"web1\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("hostq_agent_steps_total{node=\"web1\",kind=\"bind_address\"} 4\n"));
  EXPECT_THAT(text,
              HasSubstr("hostq_agent_step_seconds_total{node=\"web1\",kind=\"bind_address\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hostq_agent_journal_commit_seconds_count{node=\"web1\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("made_up")));
  EXPECT_THAT(text, Not(HasSubstr("kind=\"\"")));
  EXPECT_THAT(text, Not(HasSubstr("gone")));
}

TEST(ProcessTest, TheKernelKnowsUs) {
  Page page;
  ShowProcess(page);
  const std::string text = page.Text();
  for (const char* const metric : {"process_resident_memory_bytes", "process_open_fds",
                                   "process_threads", "process_start_time_seconds"}) {
    EXPECT_TRUE(std::regex_search(text, std::regex(absl::StrCat("\n", metric, " [1-9]"))))
        << metric;
  }
}

std::string TypeName(Metric::Type type) {
  return type == Metric::Type::kCounter ? "counter"
         : type == Metric::Type::kGauge ? "gauge"
                                        : "histogram";
}

TEST(MetricListTest, TheReferenceHasTheSameMetrics) {
  std::ifstream file(HOSTQ_SOURCE_DIR "/docs/reference/metrics.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  static const std::regex kRow(R"(\n\| `([a-z_]+)` \| (counter|gauge|histogram) \| ([^|]*) \|)");
  static const std::regex kLabel("`([a-z]+)`");
  std::map<std::string, std::string> documented;
  for (std::sregex_iterator it(text.begin(), text.end(), kRow), end; it != end; ++it) {
    std::string labels = (*it)[3];
    std::vector<std::string> names;
    for (std::sregex_iterator l(labels.begin(), labels.end(), kLabel); l != end; ++l) {
      names.push_back((*l)[1]);
      EXPECT_THAT(text, HasSubstr(absl::StrCat("| `", names.back(), "` | "))) << "its bound";
    }
    documented[(*it)[1]] = absl::StrCat((*it)[2].str(), " ", absl::StrJoin(names, ","));
  }
  std::map<std::string, std::string> listed;
  for (const Metric& metric : AllMetrics()) {
    listed[metric.name] = absl::StrCat(TypeName(metric.type), " ", metric.labels);
    EXPECT_NE(std::string(metric.help), "") << metric.name;
  }
  EXPECT_EQ(documented, listed);
}

}  // namespace
}  // namespace hostq::manager
