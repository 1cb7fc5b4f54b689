#pragma once

#include <string>

#include "agent/link/identity.h"
#include "common/crypto/key.h"

namespace hostq::bench {

// The certificates of a cluster whose authority is not the manager's: the nodes need not join, and
// ten thousand of them are there in seconds.
class Pki {
 public:
  // Writes ca.pem, ca.key, server.pem, server.key to `directory`.
  static void Create(const std::string& directory);
  explicit Pki(const std::string& directory);

  const std::string& ca_pem() const { return ca_pem_; }
  // Of the node's first incarnation.
  agent::Identity NodeIdentity(const std::string& name, const std::string& manager) const;

 private:
  std::string ca_pem_;
  PrivateKey ca_key_;
  // One for all nodes: who has them all is one process.
  PrivateKey node_key_ = PrivateKey::Generate();
};

}  // namespace hostq::bench
