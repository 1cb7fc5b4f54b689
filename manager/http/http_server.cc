#include "manager/http/http_server.h"

#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/strand.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/error.h"
#include "common/base/mutex.h"
#include "common/rpc/https_context.h"
#include "manager/http/connection.h"

namespace hostq::manager {
namespace {

namespace asio = boost::asio;

constexpr int kThreads = 2;

}  // namespace

struct HttpServer::Inside {
  Inside(const WatchedFiles& the_files, HttpHandler handler, const HttpLimits& limits)
      : files(the_files), work(asio::make_work_guard(io)) {
    shared.handler = std::move(handler);
    shared.limits = limits;
  }

  const WatchedFiles files;
  HttpShared shared;
  asio::io_context io{kThreads};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  Mutex mutex;
  std::shared_ptr<asio::ssl::context> context ABSL_GUARDED_BY(mutex);
  std::vector<std::weak_ptr<HttpConnection>> connections ABSL_GUARDED_BY(mutex);
  size_t forget_at ABSL_GUARDED_BY(mutex) = 64;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
  std::vector<std::thread> threads;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const WatchedFiles& files,
                                                              HttpHandler handler,
                                                              const HttpLimits& limits) {
  std::unique_ptr<HttpServer> server(
      new HttpServer(std::make_unique<Inside>(files, std::move(handler), limits)));
  HOSTQ_RETURN_IF_ERROR(server->FollowFiles());
  for (int i = 0; i < kThreads; ++i) {
    server->inside_->threads.emplace_back([inside = server->inside_.get()] {
      pthread_setname_np(pthread_self(), "https");
      inside->io.run();
    });
  }
  return server;
}

HttpServer::HttpServer(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}

HttpServer::~HttpServer() { Stop(); }

absl::Status HttpServer::FollowFiles() {
  HOSTQ_ASSIGN_OR_RETURN(TlsContextPtr context, HttpsServerContext(inside_->files));
  const MutexLock lock(inside_->mutex);
  inside_->context = std::make_shared<asio::ssl::context>(context.release());
  return absl::OkStatus();
}

void HttpServer::Take(int fd) {
  sockaddr_storage own{};
  socklen_t size = sizeof(own);
  getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
  asio::ip::tcp::socket socket(asio::make_strand(inside_->io));
  boost::system::error_code error;
  socket.assign(own.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd, error);
  if (error) {
    ::close(fd);
    return;
  }
  const MutexLock lock(inside_->mutex);
  if (inside_->stopped) return;
  const auto connection =
      std::make_shared<HttpConnection>(std::move(socket), *inside_->context, inside_->shared);
  if (inside_->connections.size() >= inside_->forget_at) {
    std::erase_if(inside_->connections, [](const auto& each) { return each.expired(); });
    inside_->forget_at = 64 + 2 * inside_->connections.size();
  }
  inside_->connections.push_back(connection);
  connection->Start();
}

void HttpServer::Stop() {
  {
    const MutexLock lock(inside_->mutex);
    if (std::exchange(inside_->stopped, true)) return;
    for (const auto& each : inside_->connections) {
      if (const auto connection = each.lock()) connection->Abort();
    }
  }
  inside_->work.reset();
  for (std::thread& thread : inside_->threads) thread.join();
}

}  // namespace hostq::manager
