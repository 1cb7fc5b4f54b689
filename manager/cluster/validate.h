#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hostq::manager {

// What requests may hold. Each returns the normal form, or INVALID_ARGUMENT with a reason and a
// message that names `field`, the value and what is wanted. Pure.

// A domain name of at least two parts in letters, digits and hyphens (internationalized parts as
// A-labels); lower case afterwards. INVALID_DOMAIN.
absl::StatusOr<std::string> NormalDomain(absl::string_view field, absl::string_view value);

// A login name that is none of the system's. INVALID_USER_NAME.
absl::Status CheckUserName(absl::string_view field, absl::string_view value);

// A lower-case letter, then letters, digits and hyphens; at most `limit`. INVALID_NAME.
absl::Status CheckName(absl::string_view field, absl::string_view value, size_t limit);
inline constexpr size_t kMaxNodeName = 63;   // one part of a host name
inline constexpr size_t kMaxShareName = 32;  // short enough for a column of a table

// Absolute, each part of letters, digits and ._+@=- and neither "." nor "..", no "/" at the end.
// INVALID_PATH.
absl::Status CheckPath(absl::string_view field, absl::string_view value);
// A path, and no directory that the system needs as it is. INVALID_PATH.
absl::Status CheckMountPoint(absl::string_view field, absl::string_view value);

// "HOST:/PATH"; HOST is a name, an IPv4 address or an IPv6 address in brackets.
struct ShareSource {
  std::string text;  // the whole, normal
  std::string host;  // without brackets
  std::string path;
};
// INVALID_PATH, and INVALID_ADDRESS for the host.
absl::StatusOr<ShareSource> NormalSource(absl::string_view field, absl::string_view value);

// Bytes, rounded up to whole KiB; 0 is unlimited. At least 1 KiB, and at most what rquota carries:
// 2^32 - 1 KiB. INVALID_SIZE.
absl::StatusOr<int64_t> NormalQuota(absl::string_view field, int64_t bytes);
inline constexpr int64_t kMaxQuotaKib = UINT32_MAX;

// The canonical form of an IPv4 or IPv6 address, whatever kind of address it is. INVALID_ADDRESS.
absl::StatusOr<std::string> CanonicalAddress(absl::string_view field, absl::string_view value);
// The same, if it is one that an account can have: a single unicast address, neither loopback nor
// link-local. INVALID_ADDRESS.
absl::StatusOr<std::string> NormalAddress(absl::string_view field, absl::string_view value);
// The same, or a loopback address (a cluster of one machine).
absl::StatusOr<std::string> NormalNodeAddress(absl::string_view field, absl::string_view value);

// Free text in UTF-8 without control characters, of at most `limit` characters. INVALID_ARGUMENT.
absl::Status CheckText(absl::string_view field, absl::string_view value, size_t limit);

}  // namespace hostq::manager
