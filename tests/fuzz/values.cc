// Values as people write them, in the command line and in requests: sizes, spans, times, ids,
// names, addresses, paths. What is taken has a normal form, which is taken again and stays as it
// is.
#include <string>

#include "absl/time/time.h"
#include "agent/host/ip_address.h"
#include "common/base/id.h"
#include "common/base/text.h"
#include "input.h"
#include "manager/cli/layout.h"
#include "manager/cli/target.h"
#include "manager/cli/words.h"
#include "manager/cluster/validate.h"

namespace {

using namespace hostq;

// What was given as text is refused with text. (Bytes that are none never get so far.)
void CheckMessage(const absl::Status& status, absl::string_view given) {
  if (IsUtf8(given)) fuzz::CheckText(status.message());
}

template <typename F>
void CheckNormal(F normal, absl::string_view text) {
  const absl::StatusOr<std::string> once = normal("field", text);
  if (!once.ok()) return CheckMessage(once.status(), text);
  const absl::StatusOr<std::string> twice = normal("field", *once);
  HOSTQ_CHECK(twice.ok() && *twice == *once);
}

void Numbers(absl::string_view text) {
  if (const auto size = ParseSize(text)) {
    HOSTQ_CHECK(*size >= 0 && ParseSize(FormatSize(*size)) == size);
    const auto quota = manager::NormalQuota("quota", *size);
    if (quota.ok()) HOSTQ_CHECK(*quota >= *size && manager::NormalQuota("quota", *quota).ok());
  }
  if (const auto id = ParseId(text)) HOSTQ_CHECK(*id > 0 && ParseId(FormatId(*id)) == id);
  if (const auto span = cli::ParseSpan(text)) HOSTQ_CHECK(*span > absl::ZeroDuration());
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  if (const auto when = cli::ParseWhen(text, now)) {
    const auto sent = cli::FromTime(*when);  // the manager refuses what no Timestamp can be
    HOSTQ_CHECK(sent.seconds() <= 253'402'300'799 && sent.nanos() >= 0 && sent.nanos() < 1e9);
  }
}

void Names(absl::string_view text) {
  CheckNormal(manager::NormalDomain, text);
  CheckNormal(manager::CanonicalAddress, text);
  CheckNormal(manager::NormalAddress, text);
  CheckNormal(manager::NormalNodeAddress, text);
  const auto source = manager::NormalSource("source", text);
  if (source.ok()) HOSTQ_CHECK(manager::NormalSource("source", source->text)->text == source->text);
  for (const absl::Status& status :
       {manager::CheckName("name", text, manager::kMaxNodeName),
        manager::CheckUserName("user", text), manager::CheckPath("path", text),
        manager::CheckMountPoint("path", text), manager::CheckText("note", text, 500)}) {
    CheckMessage(status, text);
  }
  if (const auto address = agent::IpAddress::Parse(text)) {
    HOSTQ_CHECK(agent::IpAddress::Parse(address->ToString()) == address);
    const auto normal = manager::CanonicalAddress("address", text);
    HOSTQ_CHECK(normal.ok() && *normal == address->ToString());
  }
  if (const auto range = agent::IpRange::Parse(text)) HOSTQ_CHECK(range->Contains(range->base));
  const cli::TaskName task = cli::SplitTask(text);
  HOSTQ_CHECK(task.command.size() + task.node.size() <= text.size());
  (void)cli::KeyOf(text);
}

// Text that is cut for a screen or a message stays text.
void Cutting(absl::string_view text, size_t limit) {
  const std::string printable = Printable(text, limit);
  HOSTQ_CHECK(printable.size() <= limit + 3);
  if (!IsUtf8(text)) return;
  fuzz::CheckText(printable);
  fuzz::CheckText(cli::Clean(text));
  const std::string cut = cli::Cut(text, limit);
  fuzz::CheckText(cut);
  HOSTQ_CHECK(cli::DisplayWidth(cut) <= limit || limit < 3);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const int part = input.Byte() % 3;
  const size_t limit = part == 2 ? input.Byte() : 0;
  const absl::string_view text = input.Rest();
  if (part == 0) Numbers(text);
  if (part == 1) Names(text);
  if (part == 2) Cutting(text, limit);
  return 0;
}
