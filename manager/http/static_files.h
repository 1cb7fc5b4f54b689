#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "manager/http/message.h"

namespace hostq::manager {

// A file of the dashboard, as it was when the program was built.
struct StaticFile {
  absl::string_view path;  // "/index.html"
  absl::string_view type;  // "text/html; charset=utf-8"
  absl::string_view tag;   // the entity tag
  absl::string_view bytes;
  absl::string_view gzip;
};

// Made by embed_files.py from what the build of the dashboard made. By path.
absl::Span<const StaticFile> StaticFiles();

// The answer to a GET or HEAD of the path, from the table alone: no path ever reaches the file
// system. "/" is "/index.html". Errors as answers: 404, 405.
HttpResponse AnswerWithFile(const HttpRequest& request, absl::string_view path,
                            absl::string_view request_id);

}  // namespace hostq::manager
