#pragma once

#include <string>

#include "hostq/v1/account_service.pb.h"
#include "manager/cli/explain.h"

// An account as text. Pure: the same input gives the same text.
namespace hostq::cli {

std::string StateText(const v1::Account& account);
Colour ColourOf(const v1::Account& account);
std::string AddressesText(const v1::Account& account);

// The answer alone: whether the account is right everywhere and, if not, what to do.
std::string RenderVerdict(const v1::AccountVerdict& verdict, const View& view);
// What `hostq account show` prints: the answer, what should be, each node, the last commands.
std::string RenderAccount(const v1::DescribeAccountResponse& response, const View& view);
// The nodes of that with what is not right there; a part of it.
std::string RenderPlaces(const v1::DescribeAccountResponse& response, const View& view);

}  // namespace hostq::cli
