#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace hostq {

// W3C Trace Context (https://www.w3.org/TR/trace-context/): by its `traceparent` a command is
// followed from whoever submitted it to the hooks that ran for it. `tracestate` is not carried.
//
// What is done for a command is a tree of spans. Their ids follow from their names, so that nobody
// has to remember one: a program that starts again, or another one, finds the same.
struct Span {
  std::string trace_id;   // 32 hexadecimal digits, lower case
  std::string span_id;    // 16 of them
  std::string parent_id;  // empty: it begins the trace
  std::string flags;      // 2 of them

  // For whatever is done within it.
  std::string traceparent() const;
};

// The span called `name` within what `traceparent` says. Nothing if that is no traceparent: such a
// one is to be ignored.
std::optional<Span> SpanWithin(absl::string_view traceparent, absl::string_view name);

// For what nobody gave a traceparent: the span called `name` begins a trace of its own, which
// SpanWithin(RootTraceparent(name), name) knows.
std::string RootTraceparent(absl::string_view name);

// Of version 00, or of a later one that begins like it; neither id is all zeros.
bool IsTraceparent(absl::string_view text);

}  // namespace hostq
