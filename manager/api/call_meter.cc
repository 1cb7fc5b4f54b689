#include "manager/api/call_meter.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/rpc/status.h"

namespace hostq::manager {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;

// Lives as long as its call.
class Meter final : public grpc::experimental::Interceptor {
 public:
  Meter(std::string method, bool stream, CallCounts& calls, RefusalCounts& refusals, Clock& clock)
      : method_(std::move(method)),
        stream_(stream),
        calls_(calls),
        refusals_(refusals),
        clock_(clock),
        begin_(clock.Monotonic()) {
    if (stream_) calls_.StreamBegan(method_);
  }

  // A call that nobody answered any more: its caller has gone away.
  ~Meter() override {
    if (!ended_) End(absl::CancelledError());
  }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (!ended_ && methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      End(FromGrpc(methods->GetSendStatus()));
    }
    methods->Proceed();
  }

 private:
  void End(const absl::Status& status) {
    ended_ = true;
    const std::string code = absl::StatusCodeToString(status.code());
    if (stream_) {
      calls_.StreamEnded(method_, code);
    } else {
      calls_.Ended(method_, code, clock_.Monotonic() - begin_);
    }
    if (const Reason reason = ReasonOf(status); reason != Reason::kNone) refusals_.Add(reason);
  }

  const std::string method_;
  const bool stream_;
  CallCounts& calls_;
  RefusalCounts& refusals_;
  Clock& clock_;
  const absl::Duration begin_;
  bool ended_ = false;
};

}  // namespace

std::string MethodName(absl::string_view path) {
  return absl::StrReplaceAll(absl::StripPrefix(path, "/"), {{"/", "."}});
}

grpc::experimental::Interceptor* CallMeter::CreateServerInterceptor(ServerRpcInfo* info) {
  return new Meter(MethodName(info->method()), info->type() != ServerRpcInfo::Type::UNARY, calls_,
                   refusals_, clock_);
}

}  // namespace hostq::manager
