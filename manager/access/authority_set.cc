#include "manager/access/authority_set.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret_file.h"
#include "manager/access/outside_certificates.h"

namespace hostq::manager {
namespace {

using Role = AuthoritySet::Role;
using Step = AuthoritySet::Step;
using Member = AuthoritySet::Member;

constexpr std::array kRoles = {Role::kIssuing, Role::kNext, Role::kOld, Role::kRetired};
constexpr absl::string_view kFirstStem = "ca";
constexpr absl::string_view kOutside = "outside";

std::string StateFile(const std::string& dir) { return absl::StrCat(dir, "/authorities"); }

bool FileExists(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

absl::Status Unusable(const std::string& dir, absl::string_view why) {
  return Precondition(Reason::kInternal, absl::StrCat(StateFile(dir), ": ", why));
}

// It becomes part of a path.
bool IsStem(absl::string_view text) {
  return !text.empty() && text.size() <= 20 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == absl::string_view::npos;
}

std::string StateText(const std::vector<Member>& members) {
  std::string text = "# Written by hostq-manager; see: hostq authority show\n";
  for (const Member& one : members) absl::StrAppend(&text, NameOf(one.role), " ", one.stem, "\n");
  return text;
}

// The same members with other roles; those for which there is none go.
std::vector<Member> Reassigned(const std::vector<Member>& members,
                               const std::vector<std::pair<Role, std::optional<Role>>>& changes) {
  std::vector<Member> out;
  for (Member one : members) {
    std::optional<Role> role = one.role;
    for (const auto& [from, to] : changes) {
      if (one.role == from) role = to;
    }
    if (!role) continue;
    one.role = *role;
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(),
            [](const Member& a, const Member& b) { return a.role < b.role; });
  return out;
}

const Member* Find(const std::vector<Member>& members, Role role) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const Member& one) { return one.role == role; });
  return found == members.end() ? nullptr : &*found;
}

Step NextStep(const std::vector<Member>& members) {
  if (Find(members, Role::kNext) != nullptr) return Step::kActivate;
  return Find(members, Role::kOld) != nullptr ? Step::kRetire : Step::kPrepare;
}

std::optional<Step> LastStep(const std::vector<Member>& members) {
  if (Find(members, Role::kNext) != nullptr) return Step::kPrepare;
  if (Find(members, Role::kOld) != nullptr) return Step::kActivate;
  if (Find(members, Role::kRetired) != nullptr) return Step::kRetire;
  return std::nullopt;
}

}  // namespace

absl::string_view NameOf(Step step) {
  switch (step) {
    case Step::kPrepare:
      return "prepare";
    case Step::kActivate:
      return "activate";
    case Step::kRetire:
      return "retire";
  }
  return "";
}

absl::string_view NameOf(Role role) {
  switch (role) {
    case Role::kIssuing:
      return "issuing";
    case Role::kNext:
      return "next";
    case Role::kOld:
      return "old";
    case Role::kRetired:
      return "retired";
  }
  return "";
}

// --- making and opening ---

bool AuthoritySet::Exists(const std::string& state_dir) {
  const std::string dir = absl::StrCat(state_dir, "/ca");
  return FileExists(absl::StrCat(dir, "/ca.pem")) || FileExists(StateFile(dir));
}

absl::Status AuthoritySet::CreateImported(const std::string& state_dir, absl::string_view ca_pem,
                                          const SecretString& key_pem, absl::Time now) {
  return CertificateAuthority::Import(absl::StrCat(state_dir, "/ca"), std::string(kFirstStem),
                                      ca_pem, key_pem, now);
}

absl::Status AuthoritySet::CreateOutside(const std::string& state_dir, const std::string& ca_pem,
                                         const std::string& server_pem, const SecretString& key_pem,
                                         absl::Time now) {
  const std::string dir = absl::StrCat(state_dir, "/ca");
  const OutsideCertificates files = {ca_pem, server_pem, key_pem};
  HOSTQ_RETURN_IF_ERROR(CheckOutside(files, now));
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("cannot create ", dir));
  }
  HOSTQ_RETURN_IF_ERROR(WriteOutside(dir, files));
  // Last: with it the cluster exists.
  return WriteFileDurably(StateFile(dir), absl::StrCat(kOutside, "\n"), 0644, IfExists::kRefuse);
}

absl::StatusOr<std::unique_ptr<AuthoritySet>> AuthoritySet::Open(const std::string& state_dir,
                                                                 const std::string& cluster_name,
                                                                 absl::Time now) {
  const std::string dir = absl::StrCat(state_dir, "/ca");
  std::unique_ptr<AuthoritySet> set(new AuthoritySet(dir, cluster_name));
  absl::StatusOr<std::string> text = ReadFile(StateFile(dir));
  if (absl::IsNotFound(text.status())) {
    // Before the first step there is none; without it a retired one would issue again.
    if (const std::string second = absl::StrCat(dir, "/", kFirstStem, "-2");
        FileExists(second + ".pem") || FileExists(second + ".key")) {
      return Unusable(dir, absl::StrCat("is not there, and ", second,
                                        ".* says that it was: it says "
                                        "which authority issues; put it back from a backup"));
    }
    text = absl::StrCat("issuing ", kFirstStem, "\n");
  }
  HOSTQ_RETURN_IF_ERROR(text.status());
  if (absl::StripAsciiWhitespace(*text) == kOutside) {
    set->outside_ = true;
    const MutexLock lock(set->writing_);
    HOSTQ_RETURN_IF_ERROR(set->TakeOutside(now).status());
  } else {
    HOSTQ_RETURN_IF_ERROR(set->LoadMembers(*text, now));
  }
  const MutexLock lock(set->writing_);
  HOSTQ_RETURN_IF_ERROR(set->WriteTrusted().status());
  return set;
}

absl::Status AuthoritySet::LoadMembers(absl::string_view text, absl::Time now) {
  std::vector<Member> members;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    if (absl::StartsWith(line, "#")) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    const auto* role = std::find_if(kRoles.begin(), kRoles.end(), [&](Role one) {
      return !words.empty() && NameOf(one) == words[0];
    });
    if (words.size() != 2 || role == kRoles.end() || !IsStem(words[1])) {
      return Unusable(dir_, absl::StrCat("what is \"", line, "\"?"));
    }
    if (Find(members, *role) != nullptr) return Unusable(dir_, absl::StrCat("two are ", words[0]));
    HOSTQ_ASSIGN_OR_RETURN(std::shared_ptr<const CertificateAuthority> authority,
                           CertificateAuthority::Load(dir_, std::string(words[1])));
    members.push_back({*role, std::string(words[1]), std::move(authority)});
  }
  members = Reassigned(members, {});
  const Member* issuing = Find(members, Role::kIssuing);
  if (issuing == nullptr) return Unusable(dir_, "none is issuing");
  if (Find(members, Role::kNext) != nullptr && Find(members, Role::kOld) != nullptr) {
    return Unusable(dir_, "one is next while another is old");
  }
  if (now >= issuing->authority->not_after()) {
    return Precondition(Reason::kInternal, absl::StrCat(dir_, "/", issuing->stem, ".pem: expired"));
  }
  Set({std::move(members), "", 0});
  return absl::OkStatus();
}

// --- reading ---

std::shared_ptr<const AuthoritySet::State> AuthoritySet::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

void AuthoritySet::Set(State state) {
  auto made = std::make_shared<const State>(std::move(state));
  const MutexLock lock(mutex_);
  state_.swap(made);
}

std::shared_ptr<const CertificateAuthority> AuthoritySet::issuing() const {
  const auto state = this->state();
  const Member* member = Find(state->members, Role::kIssuing);
  return member == nullptr ? nullptr : member->authority;
}

std::vector<Member> AuthoritySet::members() const { return state()->members; }

std::string AuthoritySet::trusted_pem() const {
  const auto state = this->state();
  if (outside_) return state->outside_ca_pem;
  std::string pem;
  for (const Member& one : state->members) {
    if (one.role != Role::kRetired) absl::StrAppend(&pem, one.authority->ca_pem());
  }
  return pem;
}

std::vector<std::string> AuthoritySet::trusted_pins() const { return PinsOf(trusted_pem()); }

std::string AuthoritySet::pin() const {
  const std::vector<std::string> pins = trusted_pins();
  return pins.empty() ? "" : pins.front();
}

Step AuthoritySet::next_step() const { return NextStep(state()->members); }

std::optional<Step> AuthoritySet::last_step() const { return LastStep(state()->members); }

AuthoritySet::Turn AuthoritySet::turn() const { return state()->turn; }

// --- steps ---

absl::Status AuthoritySet::Check(Step step) const {
  if (outside_) {
    return Precondition(Reason::kNoBuiltInAuthority,
                        "this cluster's certificates come from outside");
  }
  const Step next = next_step();
  if (next == step) return absl::OkStatus();
  return Precondition(
      Reason::kWrongRotationStep,
      absl::StrCat("the step that comes next is ", NameOf(next), ", not ", NameOf(step)));
}

absl::Status AuthoritySet::CheckUndo() const {
  if (outside_) return Check(Step::kPrepare);
  if (last_step()) return absl::OkStatus();
  return Precondition(Reason::kWrongRotationStep, "there is no step that could be taken back");
}

absl::Status AuthoritySet::CheckTurn(Turn turn) const {
  if (turn == this->turn()) return absl::OkStatus();
  return Precondition(Reason::kWrongRotationStep, "another step was made at the same moment");
}

std::string AuthoritySet::FreeStem() const {
  for (int number = 2;; ++number) {
    std::string stem = absl::StrCat(kFirstStem, "-", number);
    // What an interrupted step left is not gone on with: whose key it is is not known.
    if (!FileExists(absl::StrCat(dir_, "/", stem, ".key")) &&
        !FileExists(absl::StrCat(dir_, "/", stem, ".pem"))) {
      return stem;
    }
  }
}

absl::Status AuthoritySet::AddNext(const std::string& stem) {
  HOSTQ_ASSIGN_OR_RETURN(std::shared_ptr<const CertificateAuthority> authority,
                         CertificateAuthority::Load(dir_, stem));
  std::vector<Member> members = this->members();
  members.push_back({Role::kNext, stem, std::move(authority)});
  return Commit(Reassigned(members, {}));
}

absl::Status AuthoritySet::Prepare(absl::Time now) {
  const MutexLock lock(writing_);
  HOSTQ_RETURN_IF_ERROR(Check(Step::kPrepare));
  // From the first step on the file says which one issues.
  HOSTQ_RETURN_IF_ERROR(
      WriteFileDurably(StateFile(dir_), StateText(members()), 0644, IfExists::kReplace));
  const std::string stem = FreeStem();
  // Another name than the former's, so that no verifier confuses the two.
  HOSTQ_RETURN_IF_ERROR(CertificateAuthority::Make(
      dir_, stem,
      absl::StrCat(cluster_name_.substr(0, 40), " hostq authority ",
                   absl::string_view(stem).substr(kFirstStem.size() + 1)),
      now));
  return AddNext(stem);
}

absl::Status AuthoritySet::PrepareImported(absl::string_view ca_pem, const SecretString& key_pem,
                                           absl::Time now) {
  const MutexLock lock(writing_);
  HOSTQ_RETURN_IF_ERROR(Check(Step::kPrepare));
  const std::vector<std::string> pins = PinsOf(ca_pem);
  for (const Member& one : members()) {
    if (!pins.empty() && one.authority->pin() == pins.front()) {
      return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                       absl::StrCat("the authority's certificate: its key is that of the one that "
                                    "is ",
                                    NameOf(one.role), " here; wanted: another key"));
    }
  }
  // From the first step on the file says which one issues.
  HOSTQ_RETURN_IF_ERROR(
      WriteFileDurably(StateFile(dir_), StateText(members()), 0644, IfExists::kReplace));
  const std::string stem = FreeStem();
  HOSTQ_RETURN_IF_ERROR(CertificateAuthority::Import(dir_, stem, ca_pem, key_pem, now));
  return AddNext(stem);
}

absl::Status AuthoritySet::Activate(Turn turn, absl::Time now) {
  const MutexLock lock(writing_);
  HOSTQ_RETURN_IF_ERROR(CheckTurn(turn));
  HOSTQ_RETURN_IF_ERROR(Check(Step::kActivate));
  const std::vector<Member> members = this->members();
  const Member& next = *Find(members, Role::kNext);
  if (now >= next.authority->not_after()) {
    return Precondition(Reason::kWrongRotationStep,
                        absl::StrCat("the next authority (", next.authority->subject(),
                                     ") has expired: hostq authority undo, then prepare another"));
  }
  return Commit(Reassigned(members, {{Role::kRetired, std::nullopt},
                                     {Role::kIssuing, Role::kOld},
                                     {Role::kNext, Role::kIssuing}}));
}

absl::Status AuthoritySet::Retire(Turn turn) {
  const MutexLock lock(writing_);
  HOSTQ_RETURN_IF_ERROR(CheckTurn(turn));
  HOSTQ_RETURN_IF_ERROR(Check(Step::kRetire));
  return Commit(
      Reassigned(members(), {{Role::kRetired, std::nullopt}, {Role::kOld, Role::kRetired}}));
}

absl::StatusOr<Step> AuthoritySet::Undo(Turn turn) {
  const MutexLock lock(writing_);
  HOSTQ_RETURN_IF_ERROR(CheckTurn(turn));
  HOSTQ_RETURN_IF_ERROR(CheckUndo());
  const std::optional<Step> last = last_step();
  std::vector<std::pair<Role, std::optional<Role>>> changes;
  switch (*last) {
    case Step::kPrepare:
      changes = {{Role::kNext, std::nullopt}};
      break;
    case Step::kActivate:
      changes = {{Role::kIssuing, Role::kNext}, {Role::kOld, Role::kIssuing}};
      break;
    case Step::kRetire:
      changes = {{Role::kRetired, Role::kOld}};
      break;
  }
  HOSTQ_RETURN_IF_ERROR(Commit(Reassigned(members(), changes)));
  return *last;
}

absl::Status AuthoritySet::Commit(std::vector<Member> members) {
  HOSTQ_RETURN_IF_ERROR(
      WriteFileDurably(StateFile(dir_), StateText(members), 0644, IfExists::kReplace));
  const auto former = state();
  Set({members, "", former->turn + 1});
  // The step was made. What follows from it is brought up to date by Maintain() until it can be.
  (void)WriteTrusted();
  for (const Member& one : former->members) {
    const bool stays = std::any_of(members.begin(), members.end(),
                                   [&](const Member& member) { return member.stem == one.stem; });
    if (stays) continue;
    ::unlink(absl::StrCat(dir_, "/", one.stem, ".key").c_str());
    ::unlink(absl::StrCat(dir_, "/", one.stem, ".pem").c_str());
  }
  return absl::OkStatus();
}

// --- files that listeners watch ---

absl::StatusOr<bool> AuthoritySet::WriteTrusted() {
  const std::string wanted = trusted_pem();
  const absl::StatusOr<std::string> there = ReadFile(trusted_path());
  if (there.ok() && *there == wanted) return false;
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(trusted_path(), wanted, 0644, IfExists::kReplace));
  return true;
}

absl::StatusOr<bool> AuthoritySet::TakeOutside(absl::Time now) {
  absl::StatusOr<OutsideCertificates> files = ReadOutside(dir_);
  HOSTQ_RETURN_IF_ERROR(files.status());
  const SecretString server(absl::StrCat(files->server_key_pem.Reveal(), "\n", files->server_pem));
  const std::string seen = Sha256Hex(absl::StrCat(files->ca_pem, server.Reveal()));
  if (seen == refused_) return false;
  if (absl::Status fits = CheckOutside(*files, now); !fits.ok()) {
    refused_ = seen;  // told once
    return fits;
  }
  refused_.clear();
  Set({{}, files->ca_pem, 0});
  const absl::StatusOr<SecretString> there = ReadSecretFile(server_path());
  if (there.ok() && there->Reveal() == server.Reveal()) return false;
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(server_path(), server.Reveal(), 0600, IfExists::kReplace));
  return true;
}

absl::StatusOr<bool> AuthoritySet::Maintain(const std::vector<std::string>& ip_addresses,
                                            absl::Time now) {
  const MutexLock lock(writing_);
  bool changed = false;
  if (outside_) {
    HOSTQ_ASSIGN_OR_RETURN(changed, TakeOutside(now));
  } else {
    const absl::StatusOr<SecretString> before = ReadSecretFile(server_path());
    HOSTQ_RETURN_IF_ERROR(issuing()->ServerIdentity(ip_addresses, now).status());
    HOSTQ_ASSIGN_OR_RETURN(const SecretString after, ReadSecretFile(server_path()));
    changed = !before.ok() || before->Reveal() != after.Reveal();
  }
  HOSTQ_ASSIGN_OR_RETURN(const bool trusted, WriteTrusted());
  return changed || trusted;
}

}  // namespace hostq::manager
