#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace hostq::lint {

// The files below the given folders of the checkout, as paths relative to its root.
inline std::vector<std::string> FilesBelow(const std::vector<std::string>& folders) {
  const std::filesystem::path root = HOSTQ_SOURCE_DIR;
  std::vector<std::string> files;
  for (const std::string& folder : folders) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file()) {
        files.push_back(std::filesystem::relative(entry.path(), root).string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(std::filesystem::path(HOSTQ_SOURCE_DIR) / path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace hostq::lint
