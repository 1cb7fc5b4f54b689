#include "agent/executor/step_result.h"

#include <algorithm>

namespace hostq::agent {
namespace {

// Bytes of the valid UTF-8 sequence at the front of `text`; 0 if there is none.
size_t SequenceLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool beyond = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

std::string CleanText(absl::string_view text, size_t limit) {
  std::string clean;
  const bool cut = text.size() > limit;
  const size_t room = cut ? limit - 3 : limit;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const char c = text[0];
    const bool control = length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) &&
                         c != '\n' && c != '\t';
    const size_t taken = std::max<size_t>(length, 1);
    if (clean.size() + taken > room) break;
    if (length == 0 || control) {
      clean.push_back('?');
    } else {
      clean.append(text.data(), length);
    }
    text.remove_prefix(taken);
  }
  if (cut) clean += "...";
  return clean;
}

std::string CleanTail(absl::string_view text, size_t limit) {
  if (text.size() <= limit) return CleanText(text, limit);
  text.remove_prefix(text.size() - (limit - 3));
  return "..." + CleanText(text, limit - 3);
}

v1::StepResult ToProto(const StepResult& result, absl::string_view name) {
  v1::StepResult proto;
  proto.set_name(CleanText(name, kMaxEvidenceKeyBytes * 2));
  proto.set_changed(result.changed);
  proto.set_reason(static_cast<hostq::v1::Reason::Code>(result.reason));
  proto.set_message(CleanText(result.message, kMaxMessageBytesOfStep));
  for (const auto& [key, value] : result.evidence) {
    if (proto.evidence_size() >= static_cast<int>(kMaxEvidenceEntries)) break;
    (*proto.mutable_evidence())[CleanText(key, kMaxEvidenceKeyBytes)] =
        CleanText(value, kMaxEvidenceValueBytes);
  }
  proto.set_warning(result.warning);
  proto.set_skipped(result.skipped);
  return proto;
}

v1::StepResult FailedStep(absl::string_view name, Reason reason, absl::string_view message) {
  StepResult result;
  result.reason = reason;
  result.message = std::string(message);
  return ToProto(result, name);
}

}  // namespace hostq::agent
