// SPDX-License-Identifier: MIT
//
// See catalogue.h.
#include "fs/catalogue.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace skimfs::fs {

using manifest::Row;

Catalogue::Catalogue(std::shared_ptr<const manifest::Tree> tree, manifest::Time undated)
    : tree_(std::move(tree)), next_(tree_->rows()), eras_{{0, undated}} {}

Catalogue::Catalogue(const Catalogue& before, std::shared_ptr<const manifest::Tree> tree,
                     manifest::Time undated, std::vector<FileNumber> numbers, ListTimes lists)
    : tree_(std::move(tree)),
      epoch_(before.epoch_ + 1),
      next_(before.next_),
      eras_(before.eras_),
      lists_(std::move(lists)) {
  for (const FileNumber number : numbers) next_ = std::max(next_, number + 1);
  if (next_ != before.next_) eras_.push_back({before.next_, undated});
  bool own = true;
  for (Row row = 0; own && row < numbers.size(); ++row) own = numbers[row] == row;
  if (own) return;
  numbers_ = std::move(numbers);
  sorted_.resize(numbers_.size());
  std::iota(sorted_.begin(), sorted_.end(), Row{0});
  std::sort(sorted_.begin(), sorted_.end(),
            [this](Row a, Row b) { return numbers_[a] < numbers_[b]; });
  std::vector<Era> left;
  for (const Era& era : eras_)
    if (!is_past(era)) left.push_back(era);
  eras_ = std::move(left);
}

std::optional<Row> Catalogue::row(FileNumber number) const noexcept {
  if (numbers_.empty()) {
    if (number >= tree_->rows()) return std::nullopt;
    return static_cast<Row>(number);
  }
  const auto at = std::lower_bound(sorted_.begin(), sorted_.end(), number,
                                   [this](Row row, FileNumber of) { return numbers_[row] < of; });
  if (at == sorted_.end() || numbers_[*at] != number) return std::nullopt;
  return *at;
}

std::uint64_t Catalogue::memory() const noexcept {
  return tree_->totals().memory + numbers_.size() * sizeof(FileNumber) +
         sorted_.size() * sizeof(Row);
}

// An era of which nothing is left; the first one stays.
bool Catalogue::is_past(const Era& era) const {
  if (&era == eras_.data()) return false;
  const FileNumber end = &era == &eras_.back() ? next_ : (&era)[1].first;
  const auto at = std::lower_bound(sorted_.begin(), sorted_.end(), era.first,
                                   [this](Row row, FileNumber of) { return numbers_[row] < of; });
  return at == sorted_.end() || numbers_[*at] >= end;
}

manifest::Time Catalogue::undated(FileNumber number) const {
  const auto list = lists_.find(number);
  if (list != lists_.end()) return list->second;
  const auto after = std::upper_bound(eras_.begin(), eras_.end(), number,
                                      [](FileNumber of, const Era& era) { return of < era.first; });
  return std::prev(after)->undated;
}

}  // namespace skimfs::fs
