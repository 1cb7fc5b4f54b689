#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/host/child.h"
#include "agent/host/linux_parts.h"
#include "agent/host/netlink.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// As the kernel's union nf_inet_addr.
constexpr int kAddressSize = 16;

uint32_t Method(RealServer::Forwarding forwarding) {
  return forwarding == RealServer::Forwarding::kTunnel ? IP_VS_CONN_F_TUNNEL : IP_VS_CONN_F_DROUTE;
}

RealServer::Forwarding ForwardingOf(uint32_t flags) {
  switch (flags & IP_VS_CONN_F_FWD_MASK) {
    case IP_VS_CONN_F_DROUTE:
      return RealServer::Forwarding::kDirect;
    case IP_VS_CONN_F_TUNNEL:
      return RealServer::Forwarding::kTunnel;
    default:
      return RealServer::Forwarding::kOther;
  }
}

std::string Name(const VirtualService& service) {
  return absl::StrCat("port ", service.port, " of ", service.address.ToString());
}

IpAddress ReadAddress(nlattr* attribute, uint16_t family) {
  IpAddress address;
  address.v6 = family == AF_INET6;
  const int size = std::min(nla_len(attribute), address.v6 ? 16 : 4);
  std::memcpy(address.bytes.data(), nla_data(attribute), static_cast<size_t>(std::max(size, 0)));
  return address;
}

// One of TCP and of an address; not those by firewall mark.
std::optional<VirtualService> ReadService(nlattr* nested) {
  nlattr* attributes[IPVS_SVC_ATTR_MAX + 1] = {};
  if (nla_parse_nested(attributes, IPVS_SVC_ATTR_MAX, nested, nullptr) < 0) return std::nullopt;
  for (const int needed :
       {IPVS_SVC_ATTR_AF, IPVS_SVC_ATTR_PROTOCOL, IPVS_SVC_ATTR_ADDR, IPVS_SVC_ATTR_PORT,
        IPVS_SVC_ATTR_SCHED_NAME, IPVS_SVC_ATTR_FLAGS, IPVS_SVC_ATTR_TIMEOUT}) {
    if (attributes[needed] == nullptr) return std::nullopt;
  }
  if (nla_get_u16(attributes[IPVS_SVC_ATTR_PROTOCOL]) != IPPROTO_TCP) return std::nullopt;
  ip_vs_flags flags = {};
  nla_memcpy(&flags, attributes[IPVS_SVC_ATTR_FLAGS], sizeof(flags));
  VirtualService service;
  service.address =
      ReadAddress(attributes[IPVS_SVC_ATTR_ADDR], nla_get_u16(attributes[IPVS_SVC_ATTR_AF]));
  service.port = ntohs(nla_get_u16(attributes[IPVS_SVC_ATTR_PORT]));
  service.scheduler = nla_get_string(attributes[IPVS_SVC_ATTR_SCHED_NAME]);
  if ((flags.flags & IP_VS_SVC_F_PERSISTENT) != 0) {
    service.persistence = nla_get_u32(attributes[IPVS_SVC_ATTR_TIMEOUT]);
  }
  return service;
}

std::optional<RealServer> ReadServer(nlattr* nested, bool v6) {
  nlattr* attributes[IPVS_DEST_ATTR_MAX + 1] = {};
  if (nla_parse_nested(attributes, IPVS_DEST_ATTR_MAX, nested, nullptr) < 0) return std::nullopt;
  for (const int needed : {IPVS_DEST_ATTR_ADDR, IPVS_DEST_ATTR_PORT, IPVS_DEST_ATTR_FWD_METHOD,
                           IPVS_DEST_ATTR_WEIGHT}) {
    if (attributes[needed] == nullptr) return std::nullopt;
  }
  uint16_t family = v6 ? AF_INET6 : AF_INET;
  if (nlattr* const told = attributes[IPVS_DEST_ATTR_ADDR_FAMILY]) family = nla_get_u16(told);
  RealServer server;
  server.address = ReadAddress(attributes[IPVS_DEST_ATTR_ADDR], family);
  server.port = ntohs(nla_get_u16(attributes[IPVS_DEST_ATTR_PORT]));
  server.forwarding = ForwardingOf(nla_get_u32(attributes[IPVS_DEST_ATTR_FWD_METHOD]));
  server.weight = static_cast<int>(nla_get_u32(attributes[IPVS_DEST_ATTR_WEIGHT]));
  return server;
}

// A connection to the kernel's IPVS.
class Ipvs {
 public:
  // Loads the module if it has to.
  static absl::StatusOr<Ipvs> Open() {
    Ipvs ipvs;
    ipvs.socket_.reset(nl_socket_alloc());
    if (ipvs.socket_ == nullptr) return NetlinkError(-NLE_NOMEM, "opening a netlink socket");
    if (const int error = genl_connect(ipvs.socket_.get()); error < 0) {
      return NetlinkError(error, "opening a netlink socket");
    }
    ipvs.family_ = genl_ctrl_resolve(ipvs.socket_.get(), IPVS_GENL_NAME);
    if (ipvs.family_ >= 0) return ipvs;
    const auto loaded = RunProgram({"modprobe", "ip_vs"}, absl::Seconds(20));
    ipvs.family_ = genl_ctrl_resolve(ipvs.socket_.get(), IPVS_GENL_NAME);
    if (ipvs.family_ >= 0) return ipvs;
    const std::string why = loaded.ok() ? loaded->output : std::string(loaded.status().message());
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kKernelWithoutIpvs,
                     absl::StrCat("the kernel has no IPVS and the module cannot be loaded: ", why));
  }

  Owned<nl_msg> Message(int command, int flags = 0) const {
    Owned<nl_msg> message(nlmsg_alloc());
    if (message == nullptr ||
        genlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family_, 0, flags,
                    static_cast<uint8_t>(command), IPVS_GENL_VERSION) == nullptr) {
      return nullptr;
    }
    return message;
  }

  // libnl's error; 0.
  int Send(Owned<nl_msg> message) const {
    if (message == nullptr) return -NLE_NOMEM;
    return nl_send_sync(socket_.get(), message.release());
  }

  // Calls `each` with the attribute `wanted` of every answer.
  int Dump(Owned<nl_msg> message, int wanted, const std::function<void(nlattr*)>& each) const {
    if (message == nullptr) return -NLE_NOMEM;
    struct Context {
      int wanted;
      const std::function<void(nlattr*)>& each;
    } context = {wanted, each};
    const auto read = [](nl_msg* answer, void* argument) -> int {
      const auto& to = *static_cast<const Context*>(argument);
      nlattr* attributes[IPVS_CMD_ATTR_MAX + 1] = {};
      if (genlmsg_parse(nlmsg_hdr(answer), 0, attributes, IPVS_CMD_ATTR_MAX, nullptr) == 0 &&
          attributes[to.wanted] != nullptr) {
        to.each(attributes[to.wanted]);
      }
      return NL_OK;
    };
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, read, &context);
    int error = nl_send_auto(socket_.get(), message.get());
    if (error >= 0) error = nl_recvmsgs_default(socket_.get());
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_DEFAULT, nullptr, nullptr);
    return std::min(error, 0);
  }

 private:
  Owned<nl_sock> socket_;
  int family_ = -1;
};

// Whether everything was put.
bool PutService(nl_msg* message, const VirtualService& service, bool whole) {
  nlattr* const nested = nla_nest_start(message, IPVS_CMD_ATTR_SERVICE);
  if (nested == nullptr) return false;
  bool put =
      nla_put_u16(message, IPVS_SVC_ATTR_AF, service.address.v6 ? AF_INET6 : AF_INET) == 0 &&
      nla_put_u16(message, IPVS_SVC_ATTR_PROTOCOL, IPPROTO_TCP) == 0 &&
      nla_put(message, IPVS_SVC_ATTR_ADDR, kAddressSize, service.address.bytes.data()) == 0 &&
      nla_put_u16(message, IPVS_SVC_ATTR_PORT, htons(service.port)) == 0;
  if (put && whole) {
    const ip_vs_flags flags = {service.persistence == 0 ? 0U : IP_VS_SVC_F_PERSISTENT, ~0U};
    put = nla_put_string(message, IPVS_SVC_ATTR_SCHED_NAME, service.scheduler.c_str()) == 0 &&
          nla_put(message, IPVS_SVC_ATTR_FLAGS, sizeof(flags), &flags) == 0 &&
          nla_put_u32(message, IPVS_SVC_ATTR_TIMEOUT, service.persistence) == 0 &&
          // All bits of a client's address; of IPv6 their number.
          nla_put_u32(message, IPVS_SVC_ATTR_NETMASK, service.address.v6 ? 128 : ~0U) == 0;
  }
  nla_nest_end(message, nested);
  return put;
}

bool PutDestination(nl_msg* message, const RealServer& server, bool whole) {
  nlattr* const nested = nla_nest_start(message, IPVS_CMD_ATTR_DEST);
  if (nested == nullptr) return false;
  bool put =
      nla_put_u16(message, IPVS_DEST_ATTR_ADDR_FAMILY, server.address.v6 ? AF_INET6 : AF_INET) ==
          0 &&
      nla_put(message, IPVS_DEST_ATTR_ADDR, kAddressSize, server.address.bytes.data()) == 0 &&
      nla_put_u16(message, IPVS_DEST_ATTR_PORT, htons(server.port)) == 0;
  if (put && whole) {
    put = nla_put_u32(message, IPVS_DEST_ATTR_FWD_METHOD, Method(server.forwarding)) == 0 &&
          nla_put_u32(message, IPVS_DEST_ATTR_WEIGHT, static_cast<uint32_t>(server.weight)) == 0 &&
          nla_put_u32(message, IPVS_DEST_ATTR_U_THRESH, 0) == 0 &&
          nla_put_u32(message, IPVS_DEST_ATTR_L_THRESH, 0) == 0;
  }
  nla_nest_end(message, nested);
  return put;
}

// libnl's error. `server` may be null.
int Ask(const Ipvs& ipvs, int command, bool whole, const VirtualService& service,
        const RealServer* server = nullptr) {
  Owned<nl_msg> message = ipvs.Message(command);
  if (message == nullptr || !PutService(message.get(), service, whole && server == nullptr) ||
      (server != nullptr && !PutDestination(message.get(), *server, whole))) {
    return -NLE_NOMEM;
  }
  return ipvs.Send(std::move(message));
}

class LinuxVirtualServices final : public VirtualServices {
 public:
  absl::Status Check() override { return Ipvs::Open().status(); }

  absl::StatusOr<std::vector<VirtualService>> List() override {
    HOSTQ_ASSIGN_OR_RETURN(const Ipvs ipvs, Ipvs::Open());
    std::vector<VirtualService> services;
    const auto add = [&services](nlattr* nested) {
      if (auto service = ReadService(nested)) services.push_back(*std::move(service));
    };
    if (const int error =
            ipvs.Dump(ipvs.Message(IPVS_CMD_GET_SERVICE, NLM_F_DUMP), IPVS_CMD_ATTR_SERVICE, add);
        error < 0) {
      return NetlinkError(error, "listing virtual services");
    }
    for (VirtualService& service : services) {
      Owned<nl_msg> message = ipvs.Message(IPVS_CMD_GET_DEST, NLM_F_DUMP);
      const bool put = message != nullptr && PutService(message.get(), service, false);
      const auto add_server = [&service](nlattr* nested) {
        auto server = ReadServer(nested, service.address.v6);
        if (server) service.servers.push_back(*server);
      };
      const int error =
          put ? ipvs.Dump(std::move(message), IPVS_CMD_ATTR_DEST, add_server) : -NLE_NOMEM;
      // One that somebody removed meanwhile has none.
      if (error < 0 && error != -NLE_OBJ_NOTFOUND) {
        return NetlinkError(error, absl::StrCat("listing the real servers of ", Name(service)));
      }
    }
    Sort(services);
    return services;
  }

  absl::StatusOr<std::vector<VirtualService>> Glimpse() override {
    std::ifstream file("/proc/net/ip_vs");
    return ParseVirtualServices(
        std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  }

  absl::Status Put(const VirtualService& service) override {
    HOSTQ_ASSIGN_OR_RETURN(const Ipvs ipvs, Ipvs::Open());
    int error = Ask(ipvs, IPVS_CMD_NEW_SERVICE, true, service);
    if (error == -NLE_EXIST) error = Ask(ipvs, IPVS_CMD_SET_SERVICE, true, service);
    if (error == -NLE_OBJ_NOTFOUND) {
      return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kKernelWithoutIpvs,
                       absl::StrCat("the kernel has no scheduler ", service.scheduler,
                                    " (module ip_vs_", service.scheduler, ")"));
    }
    if (error == 0) return absl::OkStatus();
    return NetlinkError(error, absl::StrCat("adding ", Name(service)));
  }

  absl::Status Remove(const VirtualService& service) override {
    HOSTQ_ASSIGN_OR_RETURN(const Ipvs ipvs, Ipvs::Open());
    const int error = Ask(ipvs, IPVS_CMD_DEL_SERVICE, false, service);
    if (error == 0 || error == -NLE_OBJ_NOTFOUND) return absl::OkStatus();
    return NetlinkError(error, absl::StrCat("removing ", Name(service)));
  }

  absl::Status PutServer(const VirtualService& service, const RealServer& server) override {
    HOSTQ_ASSIGN_OR_RETURN(const Ipvs ipvs, Ipvs::Open());
    int error = Ask(ipvs, IPVS_CMD_NEW_DEST, true, service, &server);
    if (error == -NLE_EXIST) error = Ask(ipvs, IPVS_CMD_SET_DEST, true, service, &server);
    if (error == 0) return absl::OkStatus();
    return NetlinkError(error,
                        absl::StrCat("adding ", server.address.ToString(), " to ", Name(service)));
  }

  absl::Status RemoveServer(const VirtualService& service, const RealServer& server) override {
    HOSTQ_ASSIGN_OR_RETURN(const Ipvs ipvs, Ipvs::Open());
    const int error = Ask(ipvs, IPVS_CMD_DEL_DEST, false, service, &server);
    if (error == 0 || error == -NLE_OBJ_NOTFOUND) return absl::OkStatus();
    return NetlinkError(
        error, absl::StrCat("removing ", server.address.ToString(), " from ", Name(service)));
  }
};

}  // namespace

std::unique_ptr<VirtualServices> MakeLinuxVirtualServices() {
  return std::make_unique<LinuxVirtualServices>();
}

}  // namespace hostq::agent
