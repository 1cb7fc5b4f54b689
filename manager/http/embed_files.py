#!/usr/bin/env python3
"""Writes the files of a folder as a table in C++: manager/http/static_files.h.

usage: embed_files.py FOLDER OUT.cc

Each file becomes a row: its path, type, entity tag, bytes, and those compressed, if that is less.
The same files give the same text.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
LINE = 100  # bytes of a file on a line of the table


def literal(data):
    """An array's bytes: a literal of a string has a limit, an array has none."""
    lines = (",".join(str(byte) for byte in data[at:at + LINE]) for at in range(0, len(data), LINE))
    return ",\n".join(lines)


def main():
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    arrays, rows = [], []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not any(path.name == "index.html" for path in files):
        sys.exit(f"embed_files: {folder} has no index.html")
    for number, path in enumerate(files):
        kind = TYPES.get(path.suffix)
        if kind is None:
            sys.exit(f"embed_files: of what type is {path}? (TYPES)")
        data = path.read_bytes()
        packed = gzip.compress(data, 9, mtime=0)
        if len(packed) >= len(data):
            packed = b""
        tag = hashlib.sha256(data).hexdigest()[:24]
        views = []
        for name, content in ((f"kBytes{number}", data), (f"kGzip{number}", packed)):
            if content:
                arrays.append(f"constexpr unsigned char {name}[] = {{\n{literal(content)}}};\n")
                views.append(f"View({name})")
            else:
                views.append("{}")
        rows.append(f'      {{"/{path.relative_to(folder)}", "{kind}", "\\"{tag}\\"", {", ".join(views)}}},\n')
    out.write_text(f"""// Made by manager/http/embed_files.py.
#include "manager/http/static_files.h"

namespace hostq::manager {{
namespace {{

{"".join(arrays)}
template <size_t size>
absl::string_view View(const unsigned char (&bytes)[size]) {{
  return {{reinterpret_cast<const char*>(bytes), size}};
}}

}}  // namespace

absl::Span<const StaticFile> StaticFiles() {{
  static const StaticFile kFiles[] = {{
{"".join(rows)}  }};
  return kFiles;
}}

}}  // namespace hostq::manager
""", encoding="utf-8")


main()
