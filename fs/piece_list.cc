// SPDX-License-Identifier: MIT
//
// See piece_list.h.
#include "fs/piece_list.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "fetch/error.h"

namespace skimfs::fs {

using cache::Extent;

namespace {

Digests from_list(const Verification& plan, Extent bytes, const std::vector<cache::Pin>& pins) {
  std::vector<std::byte> values;
  values.reserve(bytes.length);
  for (const cache::Pin& pin : pins) {
    const Extent block = pin->extent();
    const std::uint64_t from = std::max(block.offset, bytes.offset);
    const std::uint64_t to = std::min(block.end(), bytes.end());
    const auto some = pin->view(static_cast<std::uint32_t>(from - block.offset),
                                static_cast<std::uint32_t>(to - from));
    values.insert(values.end(), some.begin(), some.end());
  }
  const std::uint64_t first = bytes.offset / digest_size(plan.algorithm) * plan.units.length;
  return std::make_shared<UnitDigests>(plan.algorithm, plan.units, first, std::move(values));
}

class ListAnswer final : public ReadAnswer {
 public:
  ListAnswer(std::shared_ptr<const RemoteFile> file, std::shared_ptr<DigestsWanted> to)
      : file_(std::move(file)), to_(std::move(to)) {}

  bool open() const noexcept override { return to_->wants_digests(); }
  void work(std::weak_ptr<Operation> behind) noexcept override {
    to_->digests_behind(std::move(behind));
  }
  void read(const ReadView& view) noexcept override {
    try {
      to_->digests_came(from_list(file_->integrity()->plan(), view.bytes, *view.pins));
    } catch (const std::bad_alloc&) {
      to_->digests_failed(std::make_error_code(std::errc::not_enough_memory));
    }
  }
  void fail(std::error_code why) noexcept override {
    // That there is no list does not mean that the file is another one.
    if (why == fetch::Errc::missing) why = fetch::Errc::unverifiable;
    to_->digests_failed(why);
  }

 private:
  const std::shared_ptr<const RemoteFile> file_;
  const std::shared_ptr<DigestsWanted> to_;
};

}  // namespace

Digests digests_at_hand(const RemoteFile& file, Extent bytes, cache::BlockCache& cache) {
  const Integrity& integrity = *file.integrity();
  if (integrity.stated()) return integrity.stated();
  const Extent wanted = in_list(file, bytes);
  const auto pins = cache.find(integrity.list()->version(), wanted);
  return pins ? from_list(integrity.plan(), wanted, *pins) : nullptr;
}

Extent in_list(const RemoteFile& file, Extent bytes) noexcept {
  const Verification& plan = file.integrity()->plan();
  const Extent units = plan.units.cover(bytes);
  const std::uint64_t size = digest_size(plan.algorithm);
  const std::uint64_t first = units.offset / plan.units.length;
  const std::uint64_t end = (units.end() - 1) / plan.units.length + 1;
  return {first * size, (end - first) * size};
}

std::shared_ptr<ReadAnswer> list_answer(std::shared_ptr<const RemoteFile> file,
                                        std::shared_ptr<DigestsWanted> to) {
  return std::make_shared<ListAnswer>(std::move(file), std::move(to));
}

}  // namespace skimfs::fs
