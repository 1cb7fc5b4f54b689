#include "manager/api/node_service.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/crypto/identity.h"
#include "manager/access/address_range.h"
#include "manager/api/convert.h"
#include "manager/api/engine_token_store.h"

namespace hostq::manager {
namespace {

using LiveQueue = hostq::manager::Queue;

constexpr absl::Duration kDefaultTokenLife = absl::Minutes(15);
constexpr absl::Duration kMaxTokenLife = absl::Hours(24);
constexpr int kMaxTokenSources = 32;

// Null: the default.
absl::StatusOr<absl::Duration> TokenLife(const google::protobuf::Duration* ttl) {
  if (ttl == nullptr) return kDefaultTokenLife;
  const absl::Duration life = absl::Seconds(ttl->seconds()) + absl::Nanoseconds(ttl->nanos());
  if (life > absl::ZeroDuration() && life <= kMaxTokenLife) return life;
  return InvalidField(Reason::kInvalidArgument, "token_ttl", "must be positive, at most 24 hours");
}

absl::Status NoSuchNode(const std::string& name) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownNode,
                   absl::StrCat("name: there is no node ", Printable(name, 64)));
}

// Nodes beyond a key's scopes do not exist for it.
absl::Status CheckNode(const Caller& caller, Verb verb, const std::string& name) {
  if (AllowsNode(*caller.rights, verb, Subject(), name)) return absl::OkStatus();
  return NoSuchNode(name);
}

absl::StatusOr<std::vector<AddressRange>> ParseSources(
    const google::protobuf::RepeatedPtrField<std::string>& texts) {
  if (texts.size() > kMaxTokenSources) {
    return InvalidField(Reason::kInvalidArgument, "sources",
                        absl::StrCat("at most ", kMaxTokenSources, " ranges"));
  }
  std::vector<AddressRange> sources;
  for (const std::string& text : texts) {
    absl::StatusOr<AddressRange> range = AddressRange::Parse(text);
    if (!range.ok()) {
      return InvalidField(Reason::kInvalidArgument, "sources", range.status().message());
    }
    sources.push_back(*std::move(range));
  }
  return sources;
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
      return done(NoSuchNode(name));
    }
    *response = ToProto(*node, queue.FindNode(name), UnfinishedTasks(queue)[name]);
    done(absl::OkStatus());
  });
}

void NodeService::ChangeNode(const std::string& name, const Caller& caller,
                             std::function<absl::StatusOr<ChangeSet>(const Now&)> change,
                             v1::Node* response, const Done& done) {
  backend_.engine.Change(std::move(change), caller.On(absl::StrCat("node/", name)),
                         [this, name, response, done](const absl::Status& status) {
                           status.ok() ? ReadNode(name, response, done) : done(status);
                         });
}

void NodeService::SayHow(const NewJoinToken& token, v1::CreateNodeResponse& response) const {
  if (!options_.outside_certificates) {
    response.set_join_command(absl::StrCat("hostq-agent join --node ", token.record.node,
                                           " --manager ", options_.enrollment_address, " --token ",
                                           token.text.Reveal(), " --ca-pin ", options_.ca_pin()));
    *response.mutable_token_expire_time() = ToProto(token.record.expire_time);
    return;
  }
  response.set_join_command(absl::StrCat("hostq-agent join --node ", token.record.node,
                                         " --manager ", options_.agents_address,
                                         " --certificate FILE --key FILE --ca-cert FILE"));
  const storage::v1::Node* node = backend_.cluster.FindNode(token.record.node);
  if (node == nullptr) return;
  response.set_certificate_uri(
      FormatNodeUri({token.record.node, std::max<int64_t>(node->least_incarnation(), 1)}));
}

grpc::ServerUnaryReactor* NodeService::IssueToken(grpc::CallbackServerContext& context,
                                                  absl::string_view method,
                                                  const TokenRequest& request, AddToken add,
                                                  v1::CreateNodeResponse* response) {
  auto* reactor = context.DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller = Admit(backend_, context, method, done);
  if (!caller) return reactor;
  const absl::StatusOr<absl::Duration> life = TokenLife(request.ttl);
  if (!life.ok()) return done(life.status()), reactor;
  absl::StatusOr<std::vector<AddressRange>> sources = ParseSources(request.sources);
  if (!sources.ok()) return done(sources.status()), reactor;
  const auto token =
      std::make_shared<NewJoinToken>(MakeJoinToken(request.name, backend_.clock.Now() + *life));
  token->record.sources = *std::move(sources);
  backend_.engine.Change(
      [add = std::move(add), token, actor = caller->actor](const Now& now) {
        return add(ToRow(token->record), actor, now);
      },
      caller->On(absl::StrCat("node/", request.name)),
      [this, token, response, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        // Told with the node as it is then.
        backend_.engine.Read([this, token, response, done](const LiveQueue&, const Now&) {
          SayHow(*token, *response);
          ReadNode(token->record.node, response->mutable_node(), done);
        });
      });
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::CreateNode(grpc::CallbackServerContext* context,
                                                  const v1::CreateNodeRequest* request,
                                                  v1::CreateNodeResponse* response) {
  return IssueToken(
      *context, "hostq.v1.NodeService.CreateNode",
      {request->name(), request->has_token_ttl() ? &request->token_ttl() : nullptr,
       request->sources()},
      [this, request](const storage::v1::Token& token, absl::string_view actor, const Now& now) {
        return backend_.cluster.AddNode(*request, token, actor, now);
      },
      response);
}

grpc::ServerUnaryReactor* NodeService::RejoinNode(grpc::CallbackServerContext* context,
                                                  const v1::RejoinNodeRequest* request,
                                                  v1::CreateNodeResponse* response) {
  return IssueToken(
      *context, "hostq.v1.NodeService.RejoinNode",
      {request->name(), request->has_token_ttl() ? &request->token_ttl() : nullptr,
       request->sources()},
      [this, request](const storage::v1::Token& token, absl::string_view actor, const Now&) {
        return backend_.cluster.RejoinNode(request->name(), token, actor);
      },
      response);
}

grpc::ServerUnaryReactor* NodeService::BanNode(grpc::CallbackServerContext* context,
                                               const v1::BanNodeRequest* request,
                                               v1::Node* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.BanNode", done);
  if (!caller) return reactor;
  const std::string name = request->name();
  backend_.engine.Change(
      [this, request, actor = caller->actor](const Now& now) {
        return backend_.cluster.BanNode(request->name(), request->note(), actor, now);
      },
      caller->On(absl::StrCat("node/", name)),
      [this, name, request, response, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        // Durable: a session that begins now is refused, those that are there end.
        options_.end_sessions(
            name, MakeError(absl::StatusCode::kPermissionDenied, Reason::kNodeBanned,
                            absl::StrCat("node ", name, " was banned: ", request->note())));
        ReadNode(name, response, done);
      });
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::UnbanNode(grpc::CallbackServerContext* context,
                                                 const v1::UnbanNodeRequest* request,
                                                 v1::Node* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.UnbanNode", done);
  if (!caller) return reactor;
  ChangeNode(
      request->name(), *caller,
      [this, request, actor = caller->actor](const Now&) {
        return backend_.cluster.UnbanNode(request->name(), actor);
      },
      response, done);
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::ApproveNode(grpc::CallbackServerContext* context,
                                                   const v1::ApproveNodeRequest* request,
                                                   v1::Node* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.ApproveNode", done);
  if (!caller) return reactor;
  ChangeNode(
      request->name(), *caller,
      [this, request, actor = caller->actor](const Now& now) {
        return backend_.cluster.ApproveNode(request->name(), actor, now);
      },
      response, done);
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::GetNode(grpc::CallbackServerContext* context,
                                               const v1::GetNodeRequest* request,
                                               v1::Node* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.GetNode", done);
  if (!caller) return reactor;
  if (absl::Status status = CheckNode(*caller, Verb::kRead, request->name()); !status.ok()) {
    return done(status), reactor;
  }
  ReadNode(request->name(), response, done);
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::ListNodes(grpc::CallbackServerContext* context,
                                                 const v1::ListNodesRequest*,
                                                 v1::ListNodesResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.ListNodes", done);
  if (!caller) return reactor;
  backend_.engine.Read(
      [this, caller = *caller, response, done](const LiveQueue& queue, const Now&) {
        std::map<std::string, int> unfinished = UnfinishedTasks(queue);
        for (const auto& [name, node] : backend_.cluster.nodes()) {
          if (!CheckNode(caller, Verb::kRead, name).ok()) continue;
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
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.PauseNode", done);
  if (!caller) return reactor;
  if (absl::Status status = CheckNode(*caller, Verb::kOperate, request->name()); !status.ok()) {
    return Refuse(backend_, *caller, "node/" + request->name(), status, done), reactor;
  }
  ChangeNode(
      request->name(), *caller,
      [this, request, actor = caller->actor](const Now& now) {
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
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.ResumeNode", done);
  if (!caller) return reactor;
  if (absl::Status status = CheckNode(*caller, Verb::kOperate, request->name()); !status.ok()) {
    return Refuse(backend_, *caller, "node/" + request->name(), status, done), reactor;
  }
  ChangeNode(
      request->name(), *caller,
      [this, request, actor = caller->actor](const Now&) {
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
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.RemoveNode", done);
  if (!caller) return reactor;
  // How many tasks it has is known to the queue, which a change does not see. What is submitted
  // between the two is cancelled with the node.
  backend_.engine.Read([this, request, caller = *caller, done](const LiveQueue& queue, const Now&) {
    const int unfinished = UnfinishedTasks(queue)[request->name()];
    backend_.engine.Change(
        [this, request, actor = caller.actor, unfinished](const Now&) {
          return backend_.cluster.RemoveNode(request->name(), unfinished, request->force(), actor);
        },
        caller.On(absl::StrCat("node/", request->name())), done);
  });
  return reactor;
}

grpc::ServerUnaryReactor* NodeService::GetBalancing(grpc::CallbackServerContext* context,
                                                    const v1::GetBalancingRequest*,
                                                    v1::Balancing* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.NodeService.GetBalancing", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, response, done](const LiveQueue&, const Now&) {
    *response = backend_.cluster.ShowBalancing();
    done(absl::OkStatus());
  });
  return reactor;
}

}  // namespace hostq::manager
