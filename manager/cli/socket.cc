#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "manager/cli/client.h"
#include "manager/cli/words.h"

// What can be said about the manager's socket and the user without gRPC.
namespace hostq::cli {

std::string SocketPath(const std::string& text) {
  return std::string(absl::StripPrefix(absl::StripPrefix(text, "unix://"), "unix:"));
}

std::string CurrentActor() {
  const char* sudo = std::getenv("SUDO_USER");
  std::string name = sudo == nullptr ? "" : sudo;
  if (name.empty()) {
    const passwd* entry = getpwuid(geteuid());
    name = entry == nullptr ? absl::StrCat("uid ", geteuid()) : entry->pw_name;
  }
  // Only printable ASCII may travel in metadata.
  for (char& c : name) {
    if (c < ' ' || c > '~') c = '?';
  }
  return name.substr(0, 64);
}

Unreachable WhyUnreachable(const std::string& socket, const absl::Status& status) {
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return {absl::StrCat("the manager took too long to answer at ", socket),
            "is the machine overloaded, or its disk stuck? journalctl -u hostq-manager"};
  }
  if (socket.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return {absl::StrCat("the path of the socket is too long: ", socket),
            absl::StrCat("use one of at most ", sizeof(sockaddr_un{}.sun_path) - 1,
                         " characters: --socket PATH")};
  }
  struct stat info {};
  if (stat(socket.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      return {
          absl::StrCat("the manager is not running: there is no socket at ", socket),
          "see what can be seen without it: hostq doctor; start it: systemctl start hostq-manager; "
          "see why it stopped: systemctl status hostq-manager; if its socket is elsewhere: "
          "--socket PATH or HOSTQ_SOCKET"};
    }
    return {absl::StrCat("cannot look at the manager's socket ", socket, ": ", strerror(errno)),
            "run hostq with sudo, or as a member of the group that owns the socket's directory"};
  }
  if (!S_ISSOCK(info.st_mode)) {
    return {absl::StrCat(socket, " is not a socket"), "give the right path: --socket PATH"};
  }
  if (access(socket.c_str(), W_OK) != 0) {
    return {absl::StrCat("you may not use the manager's socket ", socket, ": ", strerror(errno)),
            absl::StrCat("run hostq with sudo, or join the group that owns it: ls -l ", socket)};
  }
  return {absl::StrCat("nobody answers at the manager's socket ", socket, ": ",
                       Clean(status.message())),
          "is the manager running? systemctl status hostq-manager; its log: journalctl -u "
          "hostq-manager"};
}

}  // namespace hostq::cli
