#include "agent/link/agent_loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

// After the last step of a stopping agent, for its result to be sent; if that fails, the next
// process sends it.
constexpr absl::Duration kFarewell = absl::Milliseconds(200);
// The loop looks around at least so often, in case a clock jumps or an event is lost.
constexpr absl::Duration kLongestWait = absl::Seconds(10);

}  // namespace

Mailbox::Mailbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { HOSTQ_CHECK(fd_ >= 0); }
Mailbox::~Mailbox() { close(fd_); }

void Mailbox::Post(TransportEvent event) {
  {
    MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    // Whoever takes the first takes this one, too.
    if (events_.size() > 1) return;
  }
  const uint64_t one = 1;
  (void)!write(fd_, &one, sizeof(one));  // fails only when it is readable already
}

std::vector<TransportEvent> Mailbox::Take() {
  uint64_t count = 0;
  (void)!read(fd_, &count, sizeof(count));
  MutexLock lock(mutex_);
  return std::exchange(events_, {});
}

AgentLoop::AgentLoop(SessionLogic& logic, Transport& transport, Mailbox& mailbox,
                     const std::string& executor_socket, Clock& clock, IdentityHooks hooks)
    : logic_(logic),
      transport_(transport),
      mailbox_(mailbox),
      clock_(clock),
      hooks_(std::move(hooks)),
      executor_(executor_socket, clock,
                {[this] { logic_.OnExecutorReady(); },
                 [this](const absl::Status&) { logic_.OnExecutorLost(); },
                 [this](const v1::ExecutorReport& report) { logic_.OnExecutorReport(report); }}) {}

void AgentLoop::Wait(int stop_fd, absl::Duration until) {
  const short events = executor_.wants_write() ? POLLIN | POLLOUT : POLLIN;
  std::array<pollfd, 3> fds = {pollfd{stop_fd, POLLIN, 0}, pollfd{mailbox_.fd(), POLLIN, 0},
                               pollfd{executor_.fd(), events, 0}};
  const absl::Duration left =
      std::clamp(until - clock_.Monotonic(), absl::ZeroDuration(), kLongestWait);
  // Up, so as not to wake just before the time and find nothing to do.
  const auto millis = static_cast<int>((left + absl::Microseconds(999)) / absl::Milliseconds(1));
  (void)poll(fds.data(), fds.size(), millis);
}

void AgentLoop::Step() {
  executor_.Poll();
  for (TransportEvent& event : mailbox_.Take()) {
    if (const auto* message = std::get_if<v1::ManagerMessage>(&event.what)) {
      logic_.OnMessage(event.connection, *message);
    } else if (auto* change = std::get_if<IdentityChange>(&event.what)) {
      transport_.SetIdentity(change->identity);
      logic_.OnIdentity(std::move(change->trusts), change->renewed);
    } else {
      logic_.OnClosed(event.connection, std::get<absl::Status>(event.what));
    }
  }
  Effects effects = logic_.Flush();
  if (effects.close) transport_.Close();
  if (effects.trust && hooks_.trust) hooks_.trust(*effects.trust);
  if (effects.certificate_refused && hooks_.refused) hooks_.refused();
  if (effects.connect) transport_.Open(*effects.connect);
  for (v1::AgentMessage& message : effects.messages) transport_.Send(std::move(message));
  for (const v1::RunStep& step : effects.steps) {
    CrashPoint("agent.before_step");
    executor_.Send(step);
  }
}

void AgentLoop::Run(int stop_fd, absl::Duration patience) {
  pollfd stop{stop_fd, POLLIN, 0};
  while (poll(&stop, 1, 0) == 0) {
    Step();
    Wait(stop_fd, std::min(logic_.NextWake(), executor_.next_wake()));
  }
  LogInfo("stopping", {{"in_flight", logic_.in_flight()}, {"outbox", logic_.outbox()}});
  logic_.Stop();
  const absl::Duration end = clock_.Monotonic() + patience;
  Step();
  while (!logic_.Quiet() && clock_.Monotonic() < end) {
    Wait(-1, std::min({end, logic_.NextWake(), executor_.next_wake()}));
    Step();
  }
  const absl::Duration farewell = clock_.Monotonic() + kFarewell;
  while (logic_.welcomed() && logic_.outbox() > 0 && clock_.Monotonic() < farewell) {
    Wait(-1, farewell);
    Step();
  }
  transport_.Close();
}

}  // namespace hostq::agent
