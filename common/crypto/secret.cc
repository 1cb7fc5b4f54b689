#include "common/crypto/secret.h"

#include <openssl/crypto.h>

namespace hostq {

void Wipe(std::string& text) {
  // The capacity, not the size: what was there before may be longer than what is there now.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

SecretString::SecretString(std::string text) : text_(text) { Wipe(text); }

SecretString::SecretString(SecretString&& other) noexcept : text_(other.text_) {
  Wipe(other.text_);  // short strings are copied by a move
}

SecretString& SecretString::operator=(const SecretString& other) {
  if (this != &other) {
    Wipe(text_);
    text_ = other.text_;
  }
  return *this;
}

SecretString& SecretString::operator=(SecretString&& other) noexcept {
  if (this != &other) {
    Wipe(text_);
    text_ = other.text_;
    Wipe(other.text_);
  }
  return *this;
}

SecretString::~SecretString() { Wipe(text_); }

}  // namespace hostq
