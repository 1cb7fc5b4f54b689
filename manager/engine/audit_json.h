#pragma once

#include <string>

#include "absl/types/span.h"
#include "manager/domain/changes.h"
#include "manager/domain/types.h"

// What the audit has of commands and tasks. Pure.
namespace hostq::manager {

// {"id":"01jd...","kind":"create_account","resource_key":"account/x.example","nodes":["web1"]}
std::string AuditJsonOf(const Command& command);

// The tasks that `mutations` change, as they were and as they are:
// {"tasks":{"01jd.../web1":"PARKED"}}, and with the note if there is one.
struct TasksJson {
  std::string before;
  std::string after;
};
TasksJson AuditJsonOf(absl::Span<const Mutation> mutations, const std::string& note);

}  // namespace hostq::manager
