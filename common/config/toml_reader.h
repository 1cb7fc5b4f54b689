#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq {

// Reads one TOML document key by key and collects everything that is wrong with it. A key that
// nobody has asked for by the time of Finish() is unknown. Keys are dotted: "cluster.name". Values
// that are absent or wrong leave `out` as it was.
class TomlReader {
 public:
  // What is wrong with a text, or nothing.
  using Check = std::function<std::optional<std::string>(absl::string_view)>;

  // Errors: INVALID_ARGUMENT (INVALID_ARGUMENT) if it is not TOML.
  static absl::StatusOr<TomlReader> Parse(const std::string& text, const std::string& path);
  TomlReader(TomlReader&&) noexcept;
  ~TomlReader();

  // The readers return whether the key is there and right.
  bool Text(const std::string& key, std::string& out, const Check& check);
  bool TextList(const std::string& key, std::vector<std::string>& out, const Check& check);
  bool Integer(const std::string& key, int64_t min, int64_t max, int64_t& out);
  bool Boolean(const std::string& key, bool& out);
  // Text such as "5s" or "1m30s".
  bool Duration(const std::string& key, absl::Duration min, absl::Duration max,
                absl::Duration& out);
  // How many sections [[key]] there are, whose keys are "KEY[0].NAME" and so on.
  int Sections(const std::string& key);
  // The user ids from that of `min_key` to that of `max_key`.
  void UidRange(const std::string& min_key, const std::string& max_key, uint32_t& min,
                uint32_t& max);
  // Reports if the key is absent.
  void Require(const std::string& key);
  // Reports something that only shows when several keys are known.
  void Problem(const std::string& key, const std::string& what);

  // OK, or INVALID_ARGUMENT (INVALID_ARGUMENT) with all that was wrong, in order of lines.
  absl::Status Finish();

 private:
  struct Document;  // keeps toml++ out of this header
  explicit TomlReader(std::unique_ptr<Document> document);

  std::unique_ptr<Document> document_;
};

// Checks for TomlReader::Text: what is wrong with the value, or nothing.
std::optional<std::string> CheckName(absl::string_view text);
std::optional<std::string> CheckAbsolutePath(absl::string_view text);
// An address a machine can have: not unspecified, not multicast.
std::optional<std::string> CheckHostAddress(absl::string_view text);
// "ADDRESS:PORT", IPv6 in brackets; the unspecified address is allowed.
std::optional<std::string> CheckListenAddress(absl::string_view text);
// "203.0.113.0/24" with nothing set behind the prefix.
std::optional<std::string> CheckAddressRange(absl::string_view text);
std::optional<std::string> CheckLogLevel(absl::string_view text);

}  // namespace hostq
