#include "manager/api/node_service.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/access/join_token.h"
#include "manager/api/convert.h"
#include "manager/api/engine_token_store.h"

namespace hostq::manager {
namespace {

using LiveQueue = hostq::manager::Queue;

constexpr absl::Duration kDefaultTokenLife = absl::Minutes(15);
constexpr absl::Duration kMaxTokenLife = absl::Hours(24);

// Null: the default.
absl::StatusOr<absl::Duration> TokenLife(const google::protobuf::Duration* ttl) {
  if (ttl == nullptr) return kDefaultTokenLife;
  const absl::Duration life = absl::Seconds(ttl->seconds()) + absl::Nanoseconds(ttl->nanos());
  if (life > absl::ZeroDuration() && life <= kMaxTokenLife) return life;
  return InvalidField(Reason::kInvalidArgument, "token_ttl", "must be positive, at most 24 hours");
}

std::map<std::string, int> UnfinishedTasks(const LiveQueue& queue) {
  std::map<std::string, int> count;
  for (const auto& [id, command] : queue.commands()) {
    for (const Task& task : command.tasks) {
      if (task.live()) ++count[task.node];
    }
  }
  return count;
}

}  // namespace

void NodeService::ReadNode(const std::string& name, v1::Node* response, const Done& done) {
  backend_.engine.Read([this, name, response, done](const LiveQueue& queue, const Now&) {
    const storage::v1::Node* node = backend_.cluster.FindNode(name);
    if (node == nullptr) {
      return done(MakeError(absl::StatusCode::kNotFound, Reason::kUnknownNode,
                            absl::StrCat("name: there is no node ", Printable(name, 64))));
    }
    *response = ToProto(*node, queue.FindNode(name), UnfinishedTasks(queue)[name]);
    done(absl::OkStatus());
  });
}

void NodeService::ChangeNode(const std::string& name, std::string actor,
                             std::function<absl::StatusOr<ChangeSet>(const Now&)> change,
                             v1::Node* response, const Done& done) {
  backend_.engine.Change(std::move(change), std::move(actor),
                         [this, name, response, done](const absl::Status& status) {
                           status.ok() ? ReadNode(name, response, done) : done(status);
                         });
}

grpc::ServerUnaryReactor* NodeService::IssueToken(grpc::CallbackServerContext& context,
                                                  const std::string& name,
                                                  const google::protobuf::Duration* ttl,
                                                  AddToken add, v1::CreateNodeResponse* response) {
  auto* reactor = context.DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, context, done)) return reactor;
  const absl::StatusOr<absl::Duration> life = TokenLife(ttl);
  if (!life.ok()) return done(life.status()), reactor;
  const auto token =
      std::make_shared<NewJoinToken>(MakeJoinToken(name, backend_.clock.Now() + *life));
  const std::string actor = ActorOf(context);
  const Done answer = [this, token, response, done](const absl::Status& status) {
    if (status.ok()) {
      response->set_join_command(absl::StrCat("hostq-agent join --manager ",
                                              options_.enrollment_address, " --token ",
                                              token->text.Reveal(), " --ca-pin ", options_.ca_pin));
      *response->mutable_token_expire_time() = ToProto(token->record.expire_time);
    }
    done(status);
  };
  ChangeNode(
      name, actor,
      [add = std::move(add), token, actor](const Now& now) {
        return add(ToRow(token->record), actor, now);
      },
      response->mutable_node(), answer);
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::CreateNode(grpc::CallbackServerContext* context,
                                                  const v1::CreateNodeRequest* request,
                                                  v1::CreateNodeResponse* response) {
  return IssueToken(
      *context, request->name(), request->has_token_ttl() ? &request->token_ttl() : nullptr,
      [this, request](const storage::v1::Token& token, absl::string_view actor, const Now& now) {
        return backend_.cluster.AddNode(*request, token, actor, now);
      },
      response);
}

grpc::ServerUnaryReactor* NodeService::RejoinNode(grpc::CallbackServerContext* context,
                                                  const v1::RejoinNodeRequest* request,
                                                  v1::CreateNodeResponse* response) {
  return IssueToken(
      *context, request->name(), request->has_token_ttl() ? &request->token_ttl() : nullptr,
      [this, request](const storage::v1::Token& token, absl::string_view actor, const Now&) {
        return backend_.cluster.RejoinNode(request->name(), token, actor);
      },
      response);
}

grpc::ServerUnaryReactor* NodeService::GetNode(grpc::CallbackServerContext* context,
                                               const v1::GetNodeRequest* request,
                                               v1::Node* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  ReadNode(request->name(), response, done);
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::ListNodes(grpc::CallbackServerContext* context,
                                                 const v1::ListNodesRequest*,
                                                 v1::ListNodesResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  backend_.engine.Read([this, response, done](const LiveQueue& queue, const Now&) {
    std::map<std::string, int> unfinished = UnfinishedTasks(queue);
    for (const auto& [name, node] : backend_.cluster.nodes()) {
      *response->add_nodes() = ToProto(node, queue.FindNode(name), unfinished[name]);
    }
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::PauseNode(grpc::CallbackServerContext* context,
                                                 const v1::PauseNodeRequest* request,
                                                 v1::Node* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const std::string actor = ActorOf(*context);
  ChangeNode(
      request->name(), actor,
      [this, request, actor](const Now& now) {
        return backend_.cluster.PauseNode(request->name(), request->note(), actor, now,
                                          request->drain());
      },
      response, done);
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::ResumeNode(grpc::CallbackServerContext* context,
                                                  const v1::ResumeNodeRequest* request,
                                                  v1::Node* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const std::string actor = ActorOf(*context);
  ChangeNode(
      request->name(), actor,
      [this, request, actor](const Now&) {
        return backend_.cluster.ResumeNode(request->name(), actor);
      },
      response, done);
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::RemoveNode(grpc::CallbackServerContext* context,
                                                  const v1::RemoveNodeRequest* request,
                                                  v1::RemoveNodeResponse*) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const std::string actor = ActorOf(*context);
  // How many tasks it has is known to the queue, which a change does not see. What is submitted
  // between the two is cancelled with the node.
  backend_.engine.Read([this, request, actor, done](const LiveQueue& queue, const Now&) {
    const int unfinished = UnfinishedTasks(queue)[request->name()];
    backend_.engine.Change(
        [this, request, actor, unfinished](const Now&) {
          return backend_.cluster.RemoveNode(request->name(), unfinished, request->force(), actor);
        },
        actor, done);
  });
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::GetBalancing(grpc::CallbackServerContext* context,
                                                    const v1::GetBalancingRequest*,
                                                    v1::Balancing* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  backend_.engine.Read([this, response, done](const LiveQueue&, const Now&) {
    *response = backend_.cluster.ShowBalancing();
    done(absl::OkStatus());
  });
  return reactor;
}

}  // namespace hostq::manager
