#include "common/config/toml_reader.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "toml++/toml.h"

namespace hostq {
namespace {

// Below are the system's own accounts (login.defs), which an agent never touches; above is what
// some tools read as negative.
constexpr int64_t kLowestUid = 1000;
constexpr int64_t kHighestUid = 2'000'000'000;

std::string LastPart(const std::string& key) {
  const size_t dot = key.rfind('.');
  return dot == std::string::npos ? key : key.substr(dot + 1);
}

std::string SectionOf(const std::string& key) {
  const size_t dot = key.rfind('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

uint32_t LineOf(const toml::node& node) { return node.source().begin.line; }

const char* TypeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a section";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

}  // namespace

struct TomlReader::Document {
  struct Found {
    uint32_t line;  // 0: none
    std::string text;
  };

  const toml::node* Find(const std::string& key);
  void Report(uint32_t line, const std::string& key, const std::string& what);
  void ReportUnknown(const toml::table& section, const std::string& prefix);
  std::string Suggestion(const std::string& key) const;

  toml::table table;
  std::string path;
  // What was asked for, and the sections that it is in.
  std::set<std::string> known;
  std::set<std::string> sections;
  // Sections that there may be several of.
  std::set<std::string> repeated;
  std::vector<Found> problems;
};

TomlReader::TomlReader(std::unique_ptr<Document> document) : document_(std::move(document)) {}
TomlReader::TomlReader(TomlReader&&) noexcept = default;
TomlReader::~TomlReader() = default;

absl::StatusOr<TomlReader> TomlReader::Parse(const std::string& text, const std::string& path) {
  try {
    auto document = std::make_unique<Document>();
    document->table = toml::parse(text, path);
    document->path = path;
    return TomlReader(std::move(document));
  } catch (const toml::parse_error& error) {
    const std::string_view what = error.description();
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                     absl::StrCat(path, ":", error.source().begin.line, ": ",
                                  Printable(absl::string_view(what.data(), what.size()))));
  }
}

const toml::node* TomlReader::Document::Find(const std::string& key) {
  known.insert(key);
  if (const std::string section = SectionOf(key); !section.empty()) sections.insert(section);
  return table.at_path(key).node();
}

bool TomlReader::Text(const std::string& key, std::string& out, const Check& check) {
  const toml::node* node = document_->Find(key);
  if (node == nullptr) return false;
  const auto* text = node->as_string();
  if (text == nullptr) {
    document_->Report(LineOf(*node), key,
                      absl::StrCat("expected text in quotes, found ", TypeName(*node)));
    return false;
  }
  if (const auto wrong = check ? check(text->get()) : std::nullopt) {
    document_->Report(LineOf(*node), key,
                      absl::StrCat("\"", Printable(text->get()), "\" ", *wrong));
    return false;
  }
  out = text->get();
  return true;
}

bool TomlReader::TextList(const std::string& key, std::vector<std::string>& out,
                          const Check& check) {
  const toml::node* node = document_->Find(key);
  if (node == nullptr) return false;
  const toml::array* list = node->as_array();
  if (list == nullptr) {
    document_->Report(LineOf(*node), key,
                      absl::StrCat("expected a list of texts, found ", TypeName(*node)));
    return false;
  }
  std::vector<std::string> values;
  for (const toml::node& element : *list) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      document_->Report(LineOf(element), key,
                        absl::StrCat("expected text in quotes, found ", TypeName(element)));
      continue;
    }
    if (const auto wrong = check ? check(text->get()) : std::nullopt) {
      document_->Report(LineOf(element), key,
                        absl::StrCat("\"", Printable(text->get()), "\" ", *wrong));
      continue;
    }
    values.push_back(text->get());
  }
  if (values.size() != list->size()) return false;
  out = std::move(values);
  return true;
}

bool TomlReader::Integer(const std::string& key, int64_t min, int64_t max, int64_t& out) {
  const toml::node* node = document_->Find(key);
  if (node == nullptr) return false;
  const auto* number = node->as_integer();
  if (number == nullptr) {
    document_->Report(LineOf(*node), key,
                      absl::StrCat("expected an integer, found ", TypeName(*node)));
    return false;
  }
  if (number->get() < min || number->get() > max) {
    document_->Report(LineOf(*node), key,
                      absl::StrCat(number->get(), " is not from ", min, " to ", max));
    return false;
  }
  out = number->get();
  return true;
}

bool TomlReader::Boolean(const std::string& key, bool& out) {
  const toml::node* node = document_->Find(key);
  if (node == nullptr) return false;
  const auto* value = node->as_boolean();
  if (value == nullptr) {
    document_->Report(LineOf(*node), key,
                      absl::StrCat("expected true or false, found ", TypeName(*node)));
    return false;
  }
  out = value->get();
  return true;
}

bool TomlReader::Duration(const std::string& key, absl::Duration min, absl::Duration max,
                          absl::Duration& out) {
  absl::Duration value;
  std::string text;
  const bool found = Text(key, text, [&](absl::string_view input) -> std::optional<std::string> {
    if (!absl::ParseDuration(input, &value)) return "is not a duration such as \"5s\" or \"2m\"";
    if (value >= min && value <= max) return std::nullopt;
    return absl::StrCat("is not from ", absl::FormatDuration(min), " to ",
                        absl::FormatDuration(max));
  });
  if (found) out = value;
  return found;
}

int TomlReader::Sections(const std::string& key) {
  const toml::node* node = document_->Find(key);
  if (node == nullptr) return 0;
  const toml::array* list = node->as_array();
  if (list == nullptr || !list->is_array_of_tables()) {
    document_->Report(LineOf(*node), key,
                      absl::StrCat("expected sections [[", key, "]], found ", TypeName(*node)));
    return 0;
  }
  document_->repeated.insert(key);
  return static_cast<int>(list->size());
}

void TomlReader::UidRange(const std::string& min_key, const std::string& max_key, uint32_t& min,
                          uint32_t& max) {
  int64_t low = min;
  int64_t high = max;
  Integer(min_key, kLowestUid, kHighestUid, low);
  Integer(max_key, kLowestUid, kHighestUid, high);
  if (low > high) Problem(min_key, absl::StrCat(low, " is above ", LastPart(max_key), ", ", high));
  min = static_cast<uint32_t>(low);
  max = static_cast<uint32_t>(high);
}

void TomlReader::Require(const std::string& key) {
  if (document_->Find(key) != nullptr) return;
  const std::string section = SectionOf(key);
  const toml::node* parent = section.empty() ? nullptr : document_->table.at_path(section).node();
  if (parent != nullptr && !parent->is_table()) return;  // reported as such
  document_->Report(parent == nullptr ? 0 : LineOf(*parent), key, "required");
}

void TomlReader::Problem(const std::string& key, const std::string& what) {
  const toml::node* node = document_->table.at_path(key).node();
  document_->Report(node == nullptr ? 0 : LineOf(*node), key, what);
}

void TomlReader::Document::Report(uint32_t line, const std::string& key, const std::string& what) {
  const std::string place = line == 0 ? path : absl::StrCat(path, ":", line);
  problems.push_back({line, absl::StrCat(place, ": ", key, ": ", what)});
}

void TomlReader::Document::ReportUnknown(const toml::table& section, const std::string& prefix) {
  for (const auto& [name, node] : section) {
    const std::string key =
        absl::StrCat(prefix, Printable(absl::string_view(name.data(), name.length())));
    if (name.str().find('.') != std::string_view::npos) {  // "a.b" in quotes is not b in [a]
      Report(name.source().begin.line, key, "unknown key: a dot in quotes is part of the name");
      continue;
    }
    if (repeated.count(key) != 0) {
      int index = 0;
      for (const toml::node& one : *node.as_array()) {
        ReportUnknown(*one.as_table(), absl::StrCat(key, "[", index++, "]."));
      }
      continue;
    }
    if (known.count(key) != 0) continue;
    if (sections.count(key) == 0) {
      Report(name.source().begin.line, key, absl::StrCat("unknown key", Suggestion(key)));
    } else if (const toml::table* inner = node.as_table()) {
      ReportUnknown(*inner, key + ".");
    } else {
      Report(name.source().begin.line, key,
             absl::StrCat("expected a section [", key, "], found ", TypeName(node)));
    }
  }
}

std::string TomlReader::Document::Suggestion(const std::string& key) const {
  const std::string name = LastPart(key);
  std::string best;
  // A third of the letters wrong is still a slip; more is another word.
  size_t best_distance = name.size() / 3 + 1;
  const auto consider = [&](const std::string& candidate) {
    // The right name in another section is a likely mistake too, but the same section comes first.
    const size_t elsewhere = SectionOf(candidate) == SectionOf(key) ? 0 : 1;
    const size_t distance = EditDistance(name, LastPart(candidate)) + elsewhere;
    if (distance <= best_distance && (best.empty() || distance < best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  };
  for (const std::string& candidate : known) consider(candidate);
  for (const std::string& candidate : sections) consider(candidate);
  if (best.empty()) return "";
  const bool same = SectionOf(best) == SectionOf(key);
  return absl::StrCat(" (did you mean ", same ? LastPart(best) : best, "?)");
}

absl::Status TomlReader::Finish() {
  document_->ReportUnknown(document_->table, "");
  if (document_->problems.empty()) return absl::OkStatus();
  std::stable_sort(document_->problems.begin(), document_->problems.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  return MakeError(
      absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
      absl::StrJoin(document_->problems, "\n",
                    [](std::string* out, const auto& problem) { out->append(problem.text); }));
}

}  // namespace hostq
