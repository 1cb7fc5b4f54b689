#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/host/child.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr char kInForce[] = "/var/lib/nfs/etab";
constexpr char kDirectory[] = "/etc/exports.d";
constexpr char kOwn[] = "/etc/exports.d/hostq.exports";
constexpr char kNew[] = "/etc/exports.d/hostq.new";

absl::StatusOr<std::vector<ExportEntry>> Read(const char* path) {
  std::ifstream file(path);
  if (!file && errno != ENOENT) {
    return ErrnoError(errno, FileReason(errno), absl::StrCat("reading ", path));
  }
  return ParseExports(
      std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

bool WriteDurably(const std::string& text) {
  if (mkdir(kDirectory, 0755) != 0 && errno != EEXIST) return false;
  {
    const FileDescriptor file(open(kNew, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
    if (!file.valid() ||
        write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        fsync(file.get()) != 0) {
      return false;
    }
  }
  if (rename(kNew, kOwn) != 0) return false;
  const FileDescriptor directory(open(kDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.valid() && fsync(directory.get()) == 0;
}

class LinuxExports final : public Exports {
 public:
  absl::StatusOr<std::vector<ExportEntry>> List() override { return Read(kInForce); }
  absl::StatusOr<std::vector<ExportEntry>> ListOwn() override { return Read(kOwn); }

  absl::Status PutOwn(const std::vector<ExportEntry>& entries) override {
    if (!WriteDurably(FormatExports(entries))) {
      return ErrnoError(errno, FileReason(errno), absl::StrCat("writing ", kOwn));
    }
    HOSTQ_ASSIGN_OR_RETURN(const ProgramOutcome done,
                           RunProgram({"exportfs", "-ra"}, absl::Seconds(60)));
    // It also complains of what others export.
    const bool of_ours = std::any_of(entries.begin(), entries.end(), [&](const ExportEntry& entry) {
      return absl::StrContains(done.output, entry.path);
    });
    if (done.exit_status == 0 || !of_ours) return absl::OkStatus();
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kShareExportFailed,
                     absl::StrCat("exportfs -ra: ", done.output));
  }
};

}  // namespace

std::unique_ptr<Exports> MakeLinuxExports() { return std::make_unique<LinuxExports>(); }

}  // namespace hostq::agent
