#pragma once

#include <string>
#include <vector>

#include "manager/cli/layout.h"

namespace hostq::cli {

// Rows in aligned columns that fit a width.
class Table {
 public:
  // What happens to a column when the table is too wide.
  enum class Fit {
    kKeep,  // never shortened: ids, states
    kCut,   // ends with "...": names
    kWrap,  // goes on in the next line: messages
  };
  struct Column {
    std::string title;
    Fit fit = Fit::kKeep;
    bool right = false;  // aligned to the right: numbers
  };
  struct Cell {
    Cell(std::string content, Colour painted = Colour::kNone)  // NOLINT: implicit on purpose
        : text(std::move(content)), colour(painted) {}
    Cell(const char* content) : text(content) {}  // NOLINT: implicit on purpose
    std::string text;
    Colour colour = Colour::kNone;
  };

  // No line of titles if all titles are empty.
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns.
  void AddRow(std::vector<Cell> cells);
  // A text of its own below the row that was added last, set in and wrapped.
  void AddNote(std::string text);
  bool empty() const { return rows_.empty(); }
  // Every line ends with a line feed. `width` 0: nothing is cut or wrapped. Columns that are empty
  // in every row are left out, unless `width` is kEveryColumn. Each line starts with `indent`
  // blanks, which count. If the columns cannot be made narrow enough, each row becomes a block: its
  // first cell, and below it a line for each of the others.
  std::string Render(size_t width, bool colour, size_t indent = 0) const;

 private:
  std::vector<size_t> Widths(size_t width) const;
  std::string RenderBlocks(size_t width, bool colour, size_t indent) const;
  std::string RenderRow(const std::vector<Cell>& row, const std::vector<size_t>& widths,
                        bool colour, size_t indent) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  // As many as rows; mostly empty.
  std::vector<std::string> notes_;
};

}  // namespace hostq::cli
