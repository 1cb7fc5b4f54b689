#include "agent/link/identity.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/crypto/secret_file.h"

namespace hostq::agent {

std::string IdentityDirectory(const std::string& state_dir) {
  return absl::StrCat(state_dir, "/identity");
}

absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir) {
  const std::string directory = IdentityDirectory(state_dir);
  Identity identity;
  HOSTQ_ASSIGN_OR_RETURN(identity.key_pem, ReadSecretFile(absl::StrCat(directory, "/node.key")));
  HOSTQ_ASSIGN_OR_RETURN(identity.certificate_pem, ReadFile(absl::StrCat(directory, "/node.crt")));
  HOSTQ_ASSIGN_OR_RETURN(identity.ca_pem, ReadFile(absl::StrCat(directory, "/ca.crt")));
  HOSTQ_ASSIGN_OR_RETURN(std::string manager, ReadFile(absl::StrCat(directory, "/manager")));
  identity.manager_address = std::string(absl::StripAsciiWhitespace(manager));
  return identity;
}

}  // namespace hostq::agent
