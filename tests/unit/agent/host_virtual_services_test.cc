// What the kernel says of virtual services, read. The text is as a 6.1 kernel writes it.
#include "agent/host/virtual_services.h"

#include <gtest/gtest.h>

namespace hostq::agent {
namespace {

constexpr char kText[] = R"(IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  CB00710A:0035 rr 
  -> CB007102:0035      Route   1      0          0         
TCP  CB00710B:01BB wlc persistent 30000 FFFFFFFF
TCP  [2001:0db8:0001:0000:0000:0000:0000:0010]:0050 rr 
  -> [2001:0db8:0001:0000:0000:0000:0000:0002]:0050      Tunnel  2      0          0         
FWM  00000001 rr 
  -> CB007102:0000      Route   1      0          0         
TCP  CB00710A:0050 rr  
  -> CB007103:0050      Route   0      0          0         
  -> CB007102:0050      Masq    1      3          0         
)";

TEST(VirtualServicesTest, WhatTheKernelSays) {
  const std::vector<VirtualService> services = ParseVirtualServices(kText);
  ASSERT_EQ(services.size(), 3u);
  EXPECT_EQ(services[0].address.ToString(), "203.0.113.10");
  EXPECT_EQ(services[0].port, 80);
  EXPECT_EQ(services[0].scheduler, "rr");
  EXPECT_EQ(services[0].persistence, 0u);
  ASSERT_EQ(services[0].servers.size(), 2u);
  EXPECT_EQ(services[0].servers[0].address.ToString(), "203.0.113.2");
  EXPECT_EQ(services[0].servers[0].forwarding, RealServer::Forwarding::kOther);
  EXPECT_EQ(services[0].servers[1].weight, 0);
  EXPECT_EQ(services[0].servers[1].forwarding, RealServer::Forwarding::kDirect);
  EXPECT_EQ(services[1].port, 443);
  EXPECT_EQ(services[1].persistence, 1u) << "that there is any";
  EXPECT_TRUE(services[1].servers.empty());
  EXPECT_EQ(services[2].address.ToString(), "2001:db8:1::10");
  ASSERT_EQ(services[2].servers.size(), 1u);
  EXPECT_EQ(services[2].servers[0].address.ToString(), "2001:db8:1::2");
  EXPECT_EQ(services[2].servers[0].weight, 2);
  EXPECT_EQ(services[2].servers[0].forwarding, RealServer::Forwarding::kTunnel);
}

TEST(VirtualServicesTest, NonsenseIsLeftOut) {
  for (const char* text :
       {"", "\n\n", "->", "TCP", "TCP CB00710A:0050", "TCP CB00710A rr", "TCP :0050 rr",
        "TCP CB00710A:10000 rr", "TCP [1::]:0050:x rr", "TCP [203.0.113.10]:0050 rr",
        "TCP CB00710:0050 rr", "  -> CB007103:0050 Route 0 0 0"}) {
    EXPECT_TRUE(ParseVirtualServices(text).empty()) << text;
  }
  const auto services =
      ParseVirtualServices("TCP CB00710A:0050 rr\n-> x\n-> CB007103:0050 Route x");
  ASSERT_EQ(services.size(), 1u);
  EXPECT_TRUE(services[0].servers.empty());
}

}  // namespace
}  // namespace hostq::agent
