#pragma once

#include <string>

#include "hostq/storage/v1/resource.pb.h"

// Rows as the audit has them: in JSON, one line, without secrets and without what changes by
// itself. Pure.
namespace hostq::manager {

std::string AuditJsonOf(const storage::v1::Node& row);
std::string AuditJsonOf(const storage::v1::Pause& row);
std::string AuditJsonOf(const storage::v1::Alarm& row);

}  // namespace hostq::manager
