#pragma once

#include "absl/time/time.h"
#include "measure.h"

namespace hostq::bench {

// The network's own speed: a message and its answer on a stream over mutual TLS on loopback, the
// certificates those of `directory` (Pki), `rate` times a second for `span`. Both ends are this
// process; nothing else is done.
Latencies MeasureRoundTrips(const std::string& directory, double rate, absl::Duration span);

// How long `count` such connections take, `at_once` of them under way, until each has had an
// answer.
double MeasureBareConnections(const std::string& directory, int count, int at_once);

}  // namespace hostq::bench
