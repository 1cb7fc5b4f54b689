#include "manager/http/event_stream.h"

#include <atomic>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/mutex.h"
#include "manager/http/binding.h"
#include "manager/http/problem.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kKeepAlive = absl::Seconds(15);
// A client connects again after so many milliseconds.
constexpr char kRetry[] = "retry: 2000\n";

// Stands between the gateway and the exchange: the next event is read when the last one was sent,
// so that nothing gathers here for a client that reads slowly.
class EventStream final : public Gateway::Reader, public std::enable_shared_from_this<EventStream> {
 public:
  explicit EventStream(const WebRequest& web) : web_(web) {}

  void SetStream(std::shared_ptr<Gateway::Stream> stream) {
    bool ready = false, gone = false;
    {
      const MutexLock lock(mutex_);
      stream_ = stream;
      ready = std::exchange(wants_next_, false);
      gone = gone_;
    }
    if (gone) return stream->Cancel();
    if (ready) stream->Next();
  }

  void Started(const std::string& position) override {
    begun_ = true;
    HttpStream head;
    head.headers = WebRequest::CommonHeaders(web_.request_id);
    head.headers.emplace_back("content-type", "text/event-stream");
    head.headers.emplace_back("cache-control", "no-store");
    head.keep_alive = ": still here\n\n";
    head.interval = kKeepAlive;
    head.wanted = [self = shared_from_this()] { return self->ended_ || self->web_.wanted(); };
    head.gone = [self = shared_from_this()] { self->Cancel(); };
    web_.exchange->Begin(std::move(head));
    SendAndGoOn(absl::StrCat(kRetry, "id: ", position, "\n\n"));
  }

  void Read(const google::protobuf::Message& message) override {
    SendAndGoOn(ToServerSentEvent(static_cast<const v1::Event&>(message)));
  }

  void Ended(const absl::Status& status) override {
    ended_ = true;  // why is still said to who has no session any more
    if (status.code() == absl::StatusCode::kUnauthenticated) web_.end_session();
    if (!begun_) return web_.Answer(status.ok() ? absl::InternalError("no events came") : status);
    if (!status.ok()) {
      web_.exchange->Send(
          absl::StrCat("event: problem\ndata: ", ProblemJson(status, web_.request_id), "\n\n"),
          nullptr);
    }
    web_.exchange->Finish();
  }

 private:
  void SendAndGoOn(std::string text) {
    web_.exchange->Send(std::move(text), [self = shared_from_this()] { self->Next(); });
  }
  // The gateway may say that it has started before it has said what.
  void Next() {
    std::shared_ptr<Gateway::Stream> stream;
    {
      const MutexLock lock(mutex_);
      stream = stream_;
      if (stream == nullptr) wants_next_ = true;
    }
    if (stream != nullptr) stream->Next();
  }
  void Cancel() {
    std::shared_ptr<Gateway::Stream> stream;
    {
      const MutexLock lock(mutex_);
      gone_ = true;
      stream = stream_;
    }
    if (stream != nullptr) stream->Cancel();
  }

  const WebRequest web_;
  std::atomic<bool> ended_ = false;
  bool begun_ = false;  // of the reader's calls, of which there is one at a time
  Mutex mutex_;
  std::shared_ptr<Gateway::Stream> stream_ ABSL_GUARDED_BY(mutex_);
  bool wants_next_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::string ToServerSentEvent(const v1::Event& event) {
  const absl::StatusOr<std::string> json = ToJson(event);
  return absl::StrCat("id: ", event.sequence(), "\nevent: ", v1::Event::Type_Name(event.type()),
                      "\ndata: ", json.ok() ? *json : "{}", "\n\n");
}

void StartEventStream(Gateway& gateway, const WebRequest& web,
                      const google::protobuf::MethodDescriptor& method,
                      std::unique_ptr<google::protobuf::Message> request) {
  auto& watch = static_cast<v1::WatchEventsRequest&>(*request);
  // A browser that connects again asks for the same as the first time, and says this besides.
  if (web.http().Has("last-event-id")) {
    int64_t last = 0;
    if (!absl::SimpleAtoi(web.http().Header("last-event-id"), &last) || last < 0) {
      return web.Answer(InvalidField(Reason::kInvalidArgument, "last-event-id",
                                     "is not the id of an event of this stream"));
    }
    watch.set_since_sequence(last);
    watch.set_from_now(false);
  }
  const auto stream = std::make_shared<EventStream>(web);
  stream->SetStream(gateway.Watch(method, std::move(request), web.who, stream));
}

}  // namespace hostq::manager
