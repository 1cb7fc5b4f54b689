#include "manager/cli/yaml.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "manager/cli/json.h"
#include "nlohmann/json.hpp"

namespace hostq::cli {
namespace {

// Fields stay in the order of the message.
using Json = nlohmann::ordered_json;

// A word that no YAML reader takes for a number, a date, a truth or nothing.
bool IsPlain(const std::string& text) {
  constexpr absl::string_view kWords[] = {"y",    "n",   "yes", "no",  "true", "false",
                                          "null", "nan", "on",  "off", "inf"};
  if (text.empty() || !absl::ascii_isalpha(text[0])) return false;
  const auto plain = [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; };
  if (!std::all_of(text.begin(), text.end(), plain)) return false;
  const std::string lower = absl::AsciiStrToLower(text);
  return std::find(std::begin(kWords), std::end(kWords), lower) == std::end(kWords);
}

// The length of the character that begins at `at`, if YAML does not print it: DEL, what ISO 8859
// calls C1, the separators of lines, the byte order mark and what is no character. 0: it does.
size_t Unprintable(absl::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  if (byte(0) == 0x7F) return 1;
  if (byte(0) == 0xC2 && byte(1) < 0xA0) return 2;
  const bool separator = byte(0) == 0xE2 && byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9);
  const bool mark = byte(0) == 0xEF &&
                    ((byte(1) == 0xBB && byte(2) == 0xBF) || (byte(1) == 0xBF && byte(2) >= 0xBE));
  return separator || mark ? 3 : 0;
}

unsigned CodeOf(absl::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  if (character.size() == 2) return (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
  return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
}

// JSON's quotes and escapes are YAML's too.
std::string Quoted(const std::string& text) {
  const std::string json = Json(text).dump();
  std::string out;
  for (size_t i = 0; i < json.size();) {
    const size_t length = Unprintable(absl::string_view(json).substr(i));
    if (length == 0) {
      out += json[i++];
      continue;
    }
    absl::StrAppendFormat(&out, "\\u%04x", CodeOf(absl::string_view(json).substr(i, length)));
    i += length;
  }
  return out;
}

std::string Scalar(const Json& value) {
  if (!value.is_string()) return value.dump();
  const std::string& text = value.get_ref<const std::string&>();
  return IsPlain(text) ? text : Quoted(text);
}

void Append(const Json& value, size_t indent, std::string& out);

// What follows "name:" or "-".
void AppendValue(const Json& value, size_t indent, bool in_list, std::string& out) {
  if (value.empty() && value.is_structured()) {
    absl::StrAppend(&out, " ", value.dump(), "\n");
  } else if (!value.is_structured()) {
    absl::StrAppend(&out, " ", Scalar(value), "\n");
  } else if (in_list && value.is_object()) {
    // Its first name stands behind the hyphen.
    std::string block;
    Append(value, indent, block);
    absl::StrAppend(&out, " ", block.substr(indent));
  } else {
    out += "\n";
    Append(value, indent, out);
  }
}

void Append(const Json& value, size_t indent, std::string& out) {
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      absl::StrAppend(&out, std::string(indent, ' '), Scalar(Json(name)), ":");
      AppendValue(member, indent + 2, false, out);
    }
  } else {
    for (const Json& element : value) {
      absl::StrAppend(&out, std::string(indent, ' '), "-");
      AppendValue(element, indent + 2, true, out);
    }
  }
}

}  // namespace

std::string YamlOfJson(const std::string& json) {
  const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return json;
  if (!document.is_structured()) return Scalar(document) + "\n";
  if (document.empty()) return document.dump() + "\n";
  std::string out;
  Append(document, 0, out);
  return out;
}

std::string ToYaml(const google::protobuf::Message& message) { return YamlOfJson(ToJson(message)); }

}  // namespace hostq::cli
