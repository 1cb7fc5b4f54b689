#pragma once

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace hostq {

// Text that must not reach a log, an error or a terminal by accident: it converts to nothing,
// cannot be streamed, compared with == or formatted, and its memory is wiped when it goes. Whoever
// needs the text says so with Reveal(), which is easy to search for. Thread-safe as a std::string
// is.
class SecretString {
 public:
  SecretString() = default;
  // The argument's own memory is wiped too if it is moved in.
  SecretString(std::string text);  // NOLINT(google-explicit-constructor)
  SecretString(const char* text) : SecretString(std::string(text)) {}  // NOLINT
  explicit SecretString(absl::string_view text) : SecretString(std::string(text)) {}
  SecretString(const SecretString& other) = default;
  SecretString(SecretString&& other) noexcept;
  SecretString& operator=(const SecretString& other);
  SecretString& operator=(SecretString&& other) noexcept;
  ~SecretString();

  // Valid until the object changes or goes.
  absl::string_view Reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  size_t size() const { return text_.size(); }

 private:
  std::string text_;
};

template <typename Stream>
Stream& operator<<(Stream& stream, const SecretString&) = delete;
bool operator==(const SecretString&, const SecretString&) = delete;  // ConstantTimeEquals()

// Overwrites with zeros in a way the compiler does not remove, then empties.
void Wipe(std::string& text);

}  // namespace hostq
