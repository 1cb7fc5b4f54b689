#include "manager/cli/table.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::cli {
namespace {

constexpr size_t kGap = 2;

// With the gaps between them.
size_t Total(const std::vector<size_t>& widths) {
  const auto used = static_cast<size_t>(
      std::count_if(widths.begin(), widths.end(), [](size_t w) { return w > 0; }));
  return std::accumulate(widths.begin(), widths.end(), size_t{0}) +
         (used == 0 ? 0 : (used - 1) * kGap);
}

// Below these a column says nothing any more.
constexpr size_t kMinWrap = 20;
constexpr size_t kMinCut = 8;

}  // namespace

void Table::AddRow(std::vector<Cell> cells) {
  HOSTQ_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
  notes_.emplace_back();
}

void Table::AddNote(std::string text) {
  HOSTQ_CHECK(!notes_.empty());
  notes_.back() = std::move(text);
}

// 0 for a column that is left out.
std::vector<size_t> Table::Widths(size_t width) const {
  std::vector<size_t> widths(columns_.size(), 0);
  for (size_t i = 0; i < columns_.size(); ++i) {
    for (const auto& row : rows_) widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
    if (widths[i] > 0 || width == kEveryColumn)
      widths[i] = std::max(widths[i], DisplayWidth(columns_[i].title));
  }
  if (width == 0) return widths;
  size_t total = Total(widths);
  // Takes from the widest column of a kind until all fit or none can give any more.
  const auto shrink = [&](Fit fit, size_t minimum) {
    while (total > width) {
      size_t widest = columns_.size();
      for (size_t i = 0; i < columns_.size(); ++i) {
        const size_t least = std::max(minimum, DisplayWidth(columns_[i].title));
        if (columns_[i].fit != fit || widths[i] <= least) continue;
        if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
      }
      if (widest == columns_.size()) return;
      --widths[widest];
      --total;
    }
  };
  shrink(Fit::kWrap, kMinWrap);
  shrink(Fit::kCut, kMinCut);
  // Blocks, which is what becomes of a table that does not fit: there is no other way left.
  const bool titles =
      std::any_of(columns_.begin(), columns_.end(), [](auto& c) { return !c.title.empty(); });
  if (!titles) shrink(Fit::kWrap, kMinCut);
  return widths;
}

std::string Table::RenderRow(const std::vector<Cell>& row, const std::vector<size_t>& widths,
                             bool colour, size_t indent) const {
  std::vector<std::vector<std::string>> cells;
  size_t height = 1;
  for (size_t i = 0; i < row.size(); ++i) {
    const bool wraps = columns_[i].fit == Fit::kWrap && widths[i] > 0;
    cells.push_back(wraps ? Wrap(row[i].text, widths[i])
                          : std::vector<std::string>{columns_[i].fit == Fit::kCut
                                                         ? Cut(row[i].text, widths[i])
                                                         : row[i].text});
    height = std::max(height, cells.back().size());
  }
  std::string out;
  for (size_t line = 0; line < height; ++line) {
    std::string text(indent, ' ');
    size_t pending = 0;  // blanks owed: none at the end of a line
    bool first = true;
    for (size_t i = 0; i < row.size(); ++i) {
      if (widths[i] == 0) continue;
      if (!first) pending += kGap;
      first = false;
      const std::string part = line < cells[i].size() ? cells[i][line] : "";
      const size_t have = DisplayWidth(part);
      const size_t fill = have < widths[i] ? widths[i] - have : 0;
      if (part.empty()) {
        pending += fill;
        continue;
      }
      text.append(pending + (columns_[i].right ? fill : 0), ' ');
      text += Paint(part, row[i].colour, colour);
      pending = columns_[i].right ? 0 : fill;
    }
    absl::StrAppend(&out, text, "\n");
  }
  return out;
}

// Titles to the left, cells to the right.
std::string Table::RenderBlocks(size_t width, bool colour, size_t indent) const {
  std::string out;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const std::vector<Cell>& row = rows_[i];
    const size_t room = width > indent ? width - indent : width;
    absl::StrAppend(&out, std::string(indent, ' '),
                    Paint(Cut(row[0].text, room), row[0].colour, colour), "\n");
    Table block({{""}, {"", Fit::kWrap}});
    for (size_t j = 1; j < row.size(); ++j) {
      if (!row[j].text.empty()) block.AddRow({{columns_[j].title, Colour::kDim}, row[j]});
    }
    out += block.Render(width, colour, indent + kGap);
    if (notes_[i].empty()) continue;
    const size_t left = indent + kGap;
    for (const std::string& line : Wrap(notes_[i], width - left)) {
      absl::StrAppend(&out, std::string(left, ' '), line, "\n");
    }
  }
  return out;
}

std::string Table::Render(size_t width, bool colour, size_t indent) const {
  const size_t room = width > indent && width != kEveryColumn ? width - indent : width;
  const std::vector<size_t> widths = Widths(room);
  const bool titles =
      std::any_of(columns_.begin(), columns_.end(), [](auto& c) { return !c.title.empty(); });
  if (titles && columns_.size() > 1 && room != 0 && Total(widths) > room) {
    return RenderBlocks(width, colour, indent);
  }
  std::string out;
  if (titles) {
    std::vector<Cell> cells;
    for (const Column& column : columns_) cells.emplace_back(column.title, Colour::kDim);
    out += RenderRow(cells, widths, colour, indent);
  }
  for (size_t i = 0; i < rows_.size(); ++i) {
    out += RenderRow(rows_[i], widths, colour, indent);
    if (notes_[i].empty()) continue;
    const size_t left = indent + kGap;
    for (const std::string& line : Wrap(notes_[i], width > left ? width - left : width)) {
      absl::StrAppend(&out, std::string(left, ' '), line, "\n");
    }
  }
  return out;
}

}  // namespace hostq::cli
