// What the kernel and a file server answer: the lists of mounts, virtual services and exports, and
// datagrams of rquotad and rpcbind.
#include <string>

#include "agent/host/exports.h"
#include "agent/host/mounts.h"
#include "agent/host/rquota.h"
#include "agent/host/virtual_services.h"
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

void ReadVirtualServices(absl::string_view text) {
  for (const VirtualService& service : ParseVirtualServices(text)) {
    HOSTQ_CHECK(service.persistence <= 1);
    (void)service.address.ToString();
  }
}

void ReadExports(absl::string_view text) {
  const std::vector<ExportEntry> entries = ParseExports(text);
  HOSTQ_CHECK(ParseExports(FormatExports(entries)) == entries);
  for (const ExportEntry& entry : entries) (void)Covers(entry, entry.path, "203.0.113.2");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  switch (input.Byte() % 4) {
    case 0:
      ReadMounts(input.Rest());
      break;
    case 1:
      ReadReply(input.Rest());
      break;
    case 2:
      ReadVirtualServices(input.Rest());
      break;
    default:
      ReadExports(input.Rest());
  }
  return 0;
}
