// SPDX-License-Identifier: MIT
//
// See succession.h.
#include "fs/succession.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "fs/signed_url.h"

namespace skimfs::fs {

using manifest::Entry;
using manifest::Kind;
using manifest::kRoot;
using manifest::Row;
using manifest::Tree;

namespace {

bool same_urls(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const std::string& one, const std::string& other) {
                      return one == other || without_signature(one) == without_signature(other);
                    });
}

bool same_part(const manifest::Part& a, const manifest::Part& b) {
  return a.at == b.at && a.length == b.length && a.offset == b.offset && a.total == b.total &&
         a.etag == b.etag && a.mirror_etags == b.mirror_etags && a.literal == b.literal &&
         same_urls(a.urls, b.urls);
}

bool same_time(const std::optional<manifest::Time>& a, const std::optional<manifest::Time>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->seconds == b->seconds && a->nanoseconds == b->nanoseconds;
}

// Walks both trees at once, from the root down.
class Walk {
 public:
  Walk(const Catalogue& before, const Tree& tree, manifest::Time now, const std::stop_token& stop,
       Succession& out)
      : before_(before),
        old_(before.tree()),
        new_(tree),
        now_(now),
        stop_(stop),
        out_(out),
        numbers_(new_.rows(), kNumbers),
        kept_(old_.rows(), false),
        lists_(before.list_times()) {}

  void run() {
    keep(kRoot, kRoot);
    std::vector<std::pair<Row, Row>> directories{{kRoot, kRoot}};
    while (!directories.empty()) {
      const auto [was, is] = directories.back();
      directories.pop_back();
      check_stop();
      compare_lists(was, is, directories);
    }
    number_the_rest();
    out_.removed = static_cast<std::uint64_t>(out_.gone.size()) - out_.changed;
    out_.added -= out_.changed;
  }

  std::vector<FileNumber> numbers() { return std::move(numbers_); }
  Catalogue::ListTimes lists() { return std::move(lists_); }

 private:
  static constexpr Row kStep = 1024;  // rows between two looks at `stop`

  void check_stop() const {
    if (stop_.stop_requested()) throw std::runtime_error("stopped: the mount ends");
  }

  void compare_lists(Row was, Row is, std::vector<std::pair<Row, Row>>& directories) {
    const auto children = new_.children(is);
    bool same = children.size() == old_.children(was).size();
    Row last = kRoot;  // of the old tree
    for (const Row row : children) {
      if (row % kStep == 0) check_stop();
      const Entry entry = new_.entry(row);
      const auto other = old_.find(was, entry.name);
      if (numbers_[row] != kNumbers) continue;  // a damaged tree may lead in circles
      const bool stays = other && !kept_[*other] && stays_same(old_.entry(*other), entry);
      if (other && !stays) ++out_.changed;
      same = same && stays && *other > last;  // in another order it is another list
      if (!stays) continue;
      last = *other;
      ++out_.same;
      keep(*other, row);
      if (entry.kind == Kind::directory) directories.emplace_back(*other, row);
    }
    if (same) return;
    const FileNumber number = before_.number(was);
    out_.lists.push_back(number);
    lists_.insert_or_assign(number, now_);
  }

  bool stays_same(const Entry& was, const Entry& is) const {
    if (was.kind != is.kind) return false;
    if (is.kind == Kind::directory) return true;
    if (was.size != is.size) return false;
    if (is.kind == Kind::link) return old_.link_target(was.row) == new_.link_target(is.row);
    return same_content(old_.content(was.row), new_.content(is.row));
  }

  void keep(Row was, Row is) {
    const Entry before = old_.entry(was), entry = new_.entry(is);
    const FileNumber number = before_.number(was);
    numbers_[is] = number;
    kept_[was] = true;
    if (before.mode != entry.mode || !same_time(before.mtime, entry.mtime))
      out_.restated.push_back(number);
  }

  void number_the_rest() {
    FileNumber next = before_.next_number();
    for (FileNumber& number : numbers_) {
      if (number != kNumbers) continue;
      if (next == kNumbers) throw std::length_error("no inode numbers are left");
      number = next++;
      ++out_.added;
    }
    for (Row row = 0; row < old_.rows(); ++row) {
      if (kept_[row]) continue;
      out_.gone.push_back(before_.number(row));
      if (old_.entry(row).kind != Kind::file) out_.gone_others.push_back(out_.gone.back());
      lists_.erase(out_.gone.back());
    }
  }

  const Catalogue& before_;
  const Tree& old_;
  const Tree& new_;
  const manifest::Time now_;
  const std::stop_token& stop_;
  Succession& out_;
  std::vector<FileNumber> numbers_;  // by row of the new tree; kNumbers: none yet
  std::vector<bool> kept_;           // by row of the old one
  Catalogue::ListTimes lists_;
};

}  // namespace

bool same_content(const manifest::Content& a, const manifest::Content& b) {
  return a.digests == b.digests && a.pieces == b.pieces && a.validator == b.validator &&
         a.auth == b.auth &&
         std::equal(a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end(), same_part);
}

Succession succeed(const Catalogue& before, std::shared_ptr<const manifest::Tree> tree,
                   manifest::Time undated, manifest::Time now, const std::stop_token& stop) {
  Succession out;
  Walk walk(before, *tree, now, stop, out);
  walk.run();
  out.next =
      std::make_shared<Catalogue>(before, std::move(tree), undated, walk.numbers(), walk.lists());
  return out;
}

}  // namespace skimfs::fs
