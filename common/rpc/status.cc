#include "common/rpc/status.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/base/error.h"
#include "hostq/v1/error.pb.h"

namespace hostq {
namespace {

constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoType[] = "type.googleapis.com/google.rpc.RetryInfo";
// gRPC refuses headers of more than 8 KiB in all; the message is there twice, escaped up to three
// bytes for one the first time and in base 64 the second.
constexpr size_t kMaxMessage = 1500;
constexpr size_t kMaxRemedy = 500;
// In ErrorInfo's metadata.
constexpr char kRemedyKey[] = "remedy";

// Bytes of the UTF-8 sequence that `text` begins with; 0 if it is none.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                                       : 4;
  if (length == 0 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) {
    return 0;  // overlong, surrogate, beyond Unicode
  }
  return length;
}

std::string Sendable(absl::string_view message, size_t limit) {
  std::string out;
  while (!message.empty()) {
    const size_t length = Utf8Length(message);
    if (out.size() + length > limit) return out + "...";
    if (length == 0) {
      out += '?';
      message.remove_prefix(1);
    } else {
      out.append(message.data(), length);
      message.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message = Sendable(status.message(), kMaxMessage);
  const auto code = static_cast<grpc::StatusCode>(status.raw_code());
  const Reason reason = ReasonOf(status);
  if (reason == Reason::kNone) return grpc::Status(code, message);
  v1::ErrorInfo info;
  const absl::string_view name = NameOf(reason);
  info.set_reason(name.data(), name.size());
  info.set_domain(kErrorDomain);
  if (const std::string remedy = RemedyOf(status); !remedy.empty()) {
    (*info.mutable_metadata())[kRemedyKey] = Sendable(remedy, kMaxRemedy);
  }
  v1::ErrorStatus details;
  details.set_code(status.raw_code());
  details.set_message(message);
  auto* any = details.add_details();
  any->set_type_url(kErrorInfoType);
  any->set_value(info.SerializeAsString());
  if (const absl::Duration delay = RetryDelayOf(status); delay > absl::ZeroDuration()) {
    v1::RetryInfo retry;
    const int64_t milliseconds = absl::ToInt64Milliseconds(delay);
    retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
    any = details.add_details();
    any->set_type_url(kRetryInfoType);
    any->set_value(retry.SerializeAsString());
  }
  return grpc::Status(code, message, details.SerializeAsString());
}

namespace {

// Longer is not believed.
constexpr int64_t kMaxRetrySeconds = 3600;

absl::Status WithDetailsOf(const v1::ErrorStatus& details, absl::Status error) {
  for (const auto& any : details.details()) {
    v1::RetryInfo retry;
    if (any.type_url() != kRetryInfoType || !retry.ParseFromString(any.value())) continue;
    const int64_t seconds = std::clamp<int64_t>(retry.retry_delay().seconds(), 0, kMaxRetrySeconds);
    error = WithRetryDelay(std::move(error),
                           absl::Seconds(seconds) + absl::Nanoseconds(retry.retry_delay().nanos()));
  }
  return error;
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  v1::ErrorStatus details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  for (const auto& any : details.details()) {
    v1::ErrorInfo info;
    if (any.type_url() != kErrorInfoType || !info.ParseFromString(any.value()) ||
        info.domain() != kErrorDomain) {
      continue;
    }
    const std::optional<Reason> reason = ReasonFromName(info.reason());
    if (!reason || *reason == Reason::kNone) continue;
    absl::Status error = WithDetailsOf(details, MakeError(code, *reason, status.error_message()));
    const auto remedy = info.metadata().find(kRemedyKey);
    return remedy == info.metadata().end() ? error : WithRemedy(std::move(error), remedy->second);
  }
  return absl::Status(code, status.error_message());
}

}  // namespace hostq
