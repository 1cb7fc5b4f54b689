#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct ShareOptions {
  std::string name;
  std::string source;
  std::string mount_point;
  std::string nfs_version;
  bool exported = false;
  SubmitOptions submit;
};

absl::StatusOr<int> Mount(Tool& tool, const ShareOptions& options) {
  v1::CommandSpec spec;
  v1::MountShare& mount = *spec.mutable_mount_share();
  mount.set_share(options.name);
  mount.set_source(options.source);
  mount.set_mount_point(options.mount_point);
  mount.set_nfs_version(options.nfs_version);
  mount.set_exported(options.exported);
  tool.names = {{"SHARE", options.name}, {"MOUNTPOINT", options.mount_point}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> Unmount(Tool& tool, const ShareOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_unmount_share()->set_share(options.name);
  tool.names = {{"SHARE", options.name}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> List(Tool& tool, const ShareOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListSharesResponse response, tool.client().ListShares());
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (response.shares().empty()) {
    tool.Print("No shares yet. Mount one: hostq share mount --help\n");
    return kDone;
  }
  Table table({{"NAME", Table::Fit::kCut},
               {"SOURCE", Table::Fit::kWrap},
               {"MOUNT POINT", Table::Fit::kWrap},
               {"NFS"},
               {"EXPORTED"}});
  for (const v1::Share& share : response.shares()) {
    table.AddRow({Clean(share.name()), Clean(share.source()), Clean(share.mount_point()),
                  Clean(share.nfs_version()), share.exported() ? "by hostq" : ""});
  }
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

}  // namespace

void AddShareCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "share", "file systems that the nodes mount over NFS");
  auto options = std::make_shared<ShareOptions>();
  CLI::App& mount =
      AddLeaf(group, "mount", "mount a share on the app nodes",
              "hostq share mount home --source storage1:/chroot/home --at /home --wait");
  AddText(mount, "NAME", options->name, "", "what the share is called")->required();
  AddText(mount, "--source", options->source, "HOST:/PATH", "the file server and what it exports")
      ->required();
  AddText(mount, "--at", options->mount_point, "PATH", "where, on every node")->required();
  AddText(mount, "--nfs-version", options->nfs_version, "VERSION", "4.2 (the default), 4.1 or 3");
  mount.add_flag("--export", options->exported,
                 "the storage node named in the source exports it to the nodes that mount it");
  AddSubmitOptions(mount, tool, options->submit);
  OnRun(mount, tool, options, Mount);

  options = std::make_shared<ShareOptions>();
  CLI::App& unmount = AddLeaf(group, "unmount", "unmount a share that hostq mounted",
                              "hostq share unmount home --node web2");
  AddText(unmount, "NAME", options->name, "", "the share")->required();
  AddSubmitOptions(unmount, tool, options->submit);
  OnRun(unmount, tool, options, Unmount);

  options = std::make_shared<ShareOptions>();
  OnRun(AddLeaf(group, "list", "all shares", "hostq share list"), tool, options, List);
}

}  // namespace hostq::cli
