// Goal: the command line means what it says; wrong usage is noticed before anybody is asked; the
// documentation and the completion know every command. Method: the real tree, parsed without being
// run.

#include "manager/cli/tree.h"

#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/cli/completion.h"
#include "manager/cli/help.h"
#include "manager/cli/man.h"
#include "tests/unit/cli/process.h"

namespace hostq::cli {
namespace {

using ::testing::HasSubstr;

class TreeTest : public ::testing::Test {
 protected:
  // The words of a command line, separated by blanks. Returns the parser's error, or "".
  std::string Parse(const std::string& line) {
    tool_ = std::make_unique<Tool>(clock_, Terminal());
    tree_ = MakeTree(*tool_);
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    std::reverse(words.begin(), words.end());
    try {
      tree_->parse(std::move(words));
    } catch (const CLI::ParseError& error) {
      return absl::StrCat(error.get_name(), ": ", error.what());
    }
    return tool_->action ? "" : "no action";
  }

  // Calls `visit` for every command below `app`.
  void ForEach(const CLI::App& app, const std::function<void(const CLI::App&)>& visit) {
    for (const CLI::App* command : app.get_subcommands({})) {
      visit(*command);
      ForEach(*command, visit);
    }
  }

  FakeClock clock_;
  std::unique_ptr<Tool> tool_ = std::make_unique<Tool>(clock_, Terminal());
  std::unique_ptr<CLI::App> tree_ = MakeTree(*tool_);
};

TEST_F(TreeTest, GoodLinesAreTaken) {
  for (const char* line : {
           "account create a.example --user u --address 192.0.2.1 --quota 10GiB",
           "account create a.example --user u --address 2001:db8::1 --quota unlimited --uid 2001 "
           "--node web1 --node web2,web3 --request-id r1 --not-after 2h --wait --timeout 5m",
           "account suspend a.example --note unpaid",
           "account unsuspend a.example",
           "account delete a.example --yes",
           "account set-quota a.example --quota 0",
           "account add-address a.example 192.0.2.2",
           "account remove-address a.example 192.0.2.2",
           "account list",
           "account list --state suspended --user u --address 192.0.2.1 --domain *.example",
           "account show a.example",
           "account check a.example --timeout 1m",
           "command list --state failed --kind set_quota --node web1 --actor key/b --since 2d",
           "command list --until 2026-12-24T18:00:00Z",
           "share mount home --source 10.0.0.1:/chroot/home --at /home --nfs-version 4.1",
           "share unmount home",
           "share list",
           "quota set a.example --size 1GiB --node web1",
           "address bind 192.0.2.1 --node web1",
           "address unbind 192.0.2.1",
           "balancer show",
           "balancer set",
           "balancer set --scheduler rr --services 80,443 --persistence 300 --forwarding tunnel",
           "balancer weight web1 0 --wait",
           "command list --all --limit 5 --key share/home",
           "command show 01jd4n7zq8w3a",
           "command watch 01jd4n7zq8w3a --timeout 1m",
           "command retry 01jd4n7zq8w3a --node web1 --wait",
           "command skip 01jd4n7zq8w3a --note why",
           "command cancel 01jd4n7zq8w3a",
           "stuck --node web1 --all --exit-code",
           "explain a.example",
           "node list",
           "node show web1",
           "node add web1 --role app --role storage --address 10.0.0.1 --token-ttl 1h",
           "node add web1 --role app,database --address 10.0.0.1",
           "node add lb1 --role balancer --address 10.0.0.1 --second-address 2001:db8::1",
           "node rejoin web1 --token-ttl 1h",
           "node preflight web1 --wait",
           "node ping",
           "node ping web1 web2 --size 64KiB --timeout 5s",
           "node pause web1 --note why",
           "node resume web1",
           "node remove web1 --force",
           "events --follow --since 0 --command 01jd4n7zq8w3a --node web1",
           "key create billing --scope read --scope submit:a,b:*:*.x.example --expires 30d "
           "--source 10.0.0.0/8,192.0.2.1 --own-accounts --rate 20/s --max-unfinished 5",
           "key list --all",
           "key show billing",
           "key rotate billing --keep 2h",
           "key revoke billing --note leaked",
           "administrator add alice --days 30 --out /tmp/alice.pem",
           "administrator renew alice --out /tmp/alice.pem",
           "administrator list",
           "administrator revoke alice --note left",
           "--manager h:7445 --identity f node list",
           "node list --manager h:7445 --key-file f --ca-cert c",
           "completion bash",
           "completion zsh",
           "overview --watch",
           "top",
           "doctor --config /etc/hostq/manager.toml",
           "man",
           "node list --watch --output wide",
           "stuck --output yaml",
       }) {
    EXPECT_EQ(Parse(line), "") << line;
  }
}

TEST_F(TreeTest, WrongLinesAreRefused) {
  for (const char* line : {
           "",
           "account",
           "nonsense",
           "account nonsense",
           "account create a.example",
           "account create --user u --address 192.0.2.1 --quota 10GiB",
           "account create a.example --user u --address 192.0.2.1 --quota 10GB",
           "account create a.example --user u --address 192.0.2.1 --quota -1",
           "account create a.example --user u --address 192.0.2.1 --quota 99999999999999999999",
           "account create a.example --user u --address 192.0.2.1 --quota 1GiB --uid -5",
           "account create a.example --user u --address 192.0.2.1 --quota 1GiB --uid 4294967296",
           "account create a.example --user u --address 192.0.2.1 --quota 1GiB --timeout 5s",
           "account create a.example --user u --address 192.0.2.1 --quota 1GiB --wait --timeout 5",
           "account create a.example --user u --address 192.0.2.1 --quota 1GiB --not-after soon",
           "account delete",
           "account list extra",
           "share mount home --at /home",
           "quota set a.example",
           "command list --limit 0",
           "command list --limit many",
           "command skip 01jd4n7zq8w3a",
           "explain",
           "explain a b",
           "balancer set --services 0",
           "balancer set --services http",
           "balancer set --persistence 90000",
           "balancer set --forwarding nat",
           "balancer weight web1",
           "balancer weight web1 65536",
           "node add web1 --role king --address 10.0.0.1",
           "node add web1 --address 10.0.0.1",
           "node pause web1",
           "events --since -1",
           "key create billing",
           "key create --scope read",
           "key create billing --scope read --rate fast",
           "key create billing --scope read --rate 0",
           "key create billing --scope read --max-unfinished 0",
           "key create billing --scope read --expires soon",
           "key rotate",
           "administrator add alice",
           "administrator add alice --out f --days 366",
           "--socket s --manager h:1 node list",
           "stuck --output xml",
           "top --watch",
           "node add web1 --role app --address 10.0.0.1 --watch",
           "node list --nonsense",
       }) {
    EXPECT_NE(Parse(line), "") << line;
  }
}

TEST_F(TreeTest, CommonOptionsStandAnywhere) {
  EXPECT_EQ(Parse("--socket unix:/tmp/a node list --output json"), "");
  EXPECT_EQ(tool_->socket, "/tmp/a");
  EXPECT_EQ(tool_->format, Format::kJson);
  EXPECT_EQ(Parse("node list --socket /tmp/b -o table"), "");
  EXPECT_EQ(tool_->socket, "/tmp/b");
  EXPECT_EQ(tool_->format, Format::kTable);
}

// A node or a share may be called like a command.
TEST_F(TreeTest, NamesOfCommandsAreNamesToo) {
  for (const char* line : {"node show list", "node show stuck", "share unmount share",
                           "explain events", "account show account"}) {
    EXPECT_EQ(Parse(line), "") << line;
  }
}

TEST_F(TreeTest, SubmittingCommandsHaveTheSameOptions) {
  int submitting = 0;
  ForEach(*tree_, [&](const CLI::App& app) {
    if (app.get_option_no_throw("--not-after") == nullptr) return;
    ++submitting;
    for (const char* name : {"--node", "--request-id", "--wait", "--timeout"}) {
      EXPECT_NE(app.get_option_no_throw(name), nullptr) << PathOf(app) << " " << name;
    }
  });
  EXPECT_EQ(submitting, 14);
}

TEST_F(TreeTest, EveryCommandTeachesWithAnExampleThatIsRight) {
  ForEach(*tree_, [&](const CLI::App& app) {
    EXPECT_NE(app.get_description(), "") << PathOf(app);
    if (!app.get_subcommands({}).empty()) return;
    EXPECT_THAT(app.get_footer(), HasSubstr(PathOf(app)));
    EXPECT_THAT(RenderHelp(app, 80), HasSubstr("\nusage: " + PathOf(app)));
    for (const CLI::Option* option : app.get_options()) {
      EXPECT_NE(option->get_description(), "") << PathOf(app) << " " << option->get_name();
    }
  });
}

TEST_F(TreeTest, HelpFits80Columns) {
  ForEach(*tree_, [&](const CLI::App& app) {
    const std::string help = RenderHelp(app, 80);
    for (const absl::string_view line : absl::StrSplit(help, '\n')) {
      // Usage and examples are to be copied and are not broken.
      EXPECT_TRUE(line.size() <= 80 || absl::StrContains(line, "hostq ")) << line;
    }
  });
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// Each command has its heading; below it, before the next heading, stands each of its options.
TEST_F(TreeTest, ReferenceNamesEveryCommandAndOption) {
  const std::string text = ReadFile(HOSTQ_SOURCE_DIR "/docs/reference/cli.md");
  ASSERT_NE(text, "");
  ForEach(*tree_, [&](const CLI::App& app) {
    if (!app.get_subcommands({}).empty()) return;
    const size_t start = text.find(absl::StrCat("\n### `", PathOf(app)));
    ASSERT_NE(start, std::string::npos) << PathOf(app) << " is missing";
    const std::string section = text.substr(start, text.find("\n##", start + 1) - start);
    const std::set<std::string> kSubmit = {
        "node",         "request-id",   "not-after",    "not-before",    "priority",
        "max-parallel", "max-failures", "max-attempts", "retry-initial", "retry-cap",
        "max-elapsed",  "never-retry",  "retry-factor", "retry-jitter",  "dry-run",
        "wait",         "timeout"};
    const bool submits = app.get_option_no_throw("--not-after") != nullptr;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        // Of all that list or show, and said of them all together.
        if (name == "help" || name == "watch") continue;
        const bool common = submits && kSubmit.count(name) != 0;
        const std::string wanted = common ? "submit options" : "--" + name;
        EXPECT_THAT(section, HasSubstr(wanted)) << PathOf(app);
      }
    }
  });
}

TEST_F(TreeTest, WhatLooksCanBeWatchedAndNothingElse) {
  int looks = 0;
  ForEach(*tree_, [&](const CLI::App& app) {
    const bool watch = app.get_option_no_throw("--watch") != nullptr;
    looks += watch ? 1 : 0;
    const std::string& name = app.get_name();
    const bool wanted = name == "list" || name == "show";
    const bool submits = app.get_option_no_throw("--wait") != nullptr;
    EXPECT_TRUE(watch || !wanted) << PathOf(app);
    EXPECT_FALSE(watch && submits) << PathOf(app);
  });
  EXPECT_GE(looks, 15);
}

// What `hostq man` prints is what --help says, and man and mandoc find nothing wrong with it.
TEST_F(TreeTest, ManualIsWellFormedAndNamesEveryCommand) {
  const std::string manual = RenderManual(*tree_);
  const auto run = [&](const std::string& line) {
    return testing::RunProcess({"/bin/sh", "-c", line},
                               {{"LC_ALL", "C.UTF-8"}, {"MANWIDTH", "100"}}, manual);
  };
  const testing::Finished man = run("man --warnings -E UTF-8 -l -Tutf8 - >/dev/null");
  EXPECT_EQ(man.exit_code, 0) << man.err;
  EXPECT_EQ(man.err, "");
  // Without a date: builds of the same source are the same.
  const testing::Finished mandoc = run("mandoc -T lint -W warning | grep -v 'missing date'");
  EXPECT_EQ(mandoc.out, "");
  const std::string text = run("mandoc -T ascii -O width=500 | sed 's/.\\x08//g'").out;
  ForEach(*tree_, [&](const CLI::App& app) {
    if (!app.get_subcommands({}).empty()) return;
    EXPECT_THAT(text, HasSubstr(UsageOf(app)));
    EXPECT_THAT(text, HasSubstr(app.get_footer().substr(0, app.get_footer().find('\n'))));
  });
}

class CompletionTest : public TreeTest {
 protected:
  // What bash offers after these words; the last one is being typed.
  std::string Complete(const std::string& words) {
    const std::string script = absl::StrCat(
        BashCompletion(*tree_), "\nCOMP_WORDS=(", words,
        ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_hostq\necho \"${COMPREPLY[*]}\"\n");
    const testing::Finished result = testing::RunProcess({"/bin/bash", "-c", script}, {}, "");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return std::string(absl::StripSuffix(result.out, "\n"));
  }
};

TEST_F(CompletionTest, OffersCommandsOptionsAndValues) {
  EXPECT_EQ(Complete("hostq acc"), "account");
  EXPECT_EQ(Complete("hostq account set"), "set-quota");
  EXPECT_EQ(Complete("hostq account create --us"), "--user");
  EXPECT_EQ(Complete("hostq account create a.example --user u --qu"), "--quota");
  EXPECT_EQ(Complete("hostq node add web1 --role st"), "storage");
  EXPECT_EQ(Complete("hostq stuck --output ''"), "table wide json yaml");
  EXPECT_EQ(Complete("hostq stuck --node ''"), "");
  EXPECT_EQ(Complete("hostq --output json node sh"), "show");
}

TEST_F(CompletionTest, KnowsEveryCommand) {
  const std::string script = BashCompletion(*tree_);
  ForEach(*tree_, [&](const CLI::App& app) {
    EXPECT_THAT(script, HasSubstr(absl::StrCat("'", PathOf(app), "')")));
  });
}

class ZshCompletionTest : public TreeTest {
 protected:
  // What zsh offers after these words, the last of which is being typed; its own functions are
  // replaced by ones that print.
  std::string Complete(const std::string& words) {
    const std::string script = absl::StrCat(
        "compdef() { :; }\n_files() { echo FILES; }\n_message() { echo \"MESSAGE $1\"; }\n"
        "compadd() { shift; echo \"$@\"; }\n_describe() { print -l -- ${(P)2}; }\n",
        ZshCompletion(*tree_), "\nwords=(", words, ")\nCURRENT=$#words\n_hostq\n");
    const testing::Finished result =
        testing::RunProcess({"/usr/bin/zsh", "-f", "-c", script}, {}, "");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  }
};

TEST_F(ZshCompletionTest, OffersCommandsOptionsAndValues) {
  EXPECT_THAT(Complete("hostq ''"), HasSubstr("account:hosting accounts"));
  EXPECT_THAT(Complete("hostq account ''"), HasSubstr("\nset-quota:change an account's quota"));
  EXPECT_THAT(Complete("hostq account create a.example --us"), HasSubstr("--user:its login name"));
  EXPECT_EQ(Complete("hostq stuck --output ''"), "table wide json yaml\n");
  EXPECT_EQ(Complete("hostq stuck --node ''"), "MESSAGE the value of --node\n");
  EXPECT_EQ(Complete("hostq --socket ''"), "FILES\n");
  EXPECT_THAT(Complete("hostq --output json node ''"), HasSubstr("\nshow:"));
}

// Not with functions of its own, but as a person would have it.
TEST_F(ZshCompletionTest, IsTakenByCompinit) {
  const std::string script = absl::StrCat("autoload -Uz compinit && compinit -u -D\n",
                                          ZshCompletion(*tree_), "\necho $_comps[hostq]\n");
  const testing::Finished result =
      testing::RunProcess({"/usr/bin/zsh", "-f", "-c", script}, {{"HOME", "/tmp"}}, "");
  EXPECT_EQ(result.out, "_hostq\n") << result.err;
}

}  // namespace
}  // namespace hostq::cli
