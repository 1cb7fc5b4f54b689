// What the kernel and a file server answer: the list of mounts, and datagrams of rquotad and
// rpcbind.
#include <string>

#include "agent/host/mounts.h"
#include "agent/host/rquota.h"
#include "agent/host/xdr.h"
#include "input.h"

namespace {

using namespace hostq;
using namespace hostq::agent;

void ReadMounts(absl::string_view text) {
  const std::vector<Mount> mounts = ParseMountInfo(text);
  for (const Mount& mount : mounts) {
    HOSTQ_CHECK(mount.deleted || MountAt(mounts, mount.mount_point) != nullptr);
    (void)mount.Option("vers");
    (void)IsNfsOf(mount, "10.0.0.1", "10.0.0.1", "/chroot/home");
    (void)MountContaining(mounts, mount.mount_point);
  }
}

void ReadReply(absl::string_view datagram) {
  XdrReader reader(datagram);
  reader.U32();
  const absl::string_view opaque = reader.Opaque();
  HOSTQ_CHECK(opaque.size() <= datagram.size());
  uint32_t xid = 0;
  for (const char c : datagram.substr(0, 4)) xid = xid << 8 | static_cast<uint8_t>(c);
  const auto reply = DecodeRpcReply(datagram, xid);
  if (reply.ok()) HOSTQ_CHECK(reply->body.size() < datagram.size());
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  input.Byte() % 2 == 0 ? ReadMounts(input.Rest()) : ReadReply(input.Rest());
  return 0;
}
