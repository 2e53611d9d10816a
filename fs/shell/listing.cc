// SPDX-License-Identifier: MIT
#include "fs/shell/listing.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fs/catalogue.h"

namespace skimfs::fs::shell {
namespace {

// Names that 32 KiB take with attributes, which is what programs ask for at once.  A list of so
// many costs more to ask for than to describe.
constexpr std::size_t kFew = 190;

using Described = KeptLists::Described;

Described described(KeptLists& lists, fuse_ino_t directory, bool large, bool begins) {
  if (begins) return lists.given(directory, large);
  return !large || lists.describes_rest(directory) ? Described::all : Described::none;
}

// A directory's listing as it goes into one reply.
//
// Offsets are places: 0 is ".", 1 is "..", then the children.  The kernel continues with the offset
// that follows the last entry it took; below the place stands of which names it is one, so that a
// reload meanwhile neither hides a name nor shows one twice.  Both fit the offsets of 32-bit
// programs.
class Listing {
 public:
  Listing(fuse_req_t request, Served& to, std::shared_ptr<const Catalogue> names,
          manifest::Row directory, std::size_t room)
      : request_(request),
        to_(to),
        names_(std::move(names)),
        present_(names_ == to_.files.names()),
        tree_(names_->tree()),
        directory_(directory),
        room_(room),
        buffer_(std::make_unique_for_overwrite<char[]>(room)) {}

  void send(std::uint64_t from, bool plus, Described described) {
    describes_files_ = described != Described::none;
    left_out_ = described == Described::sample ? KeptLists::kLeftOut : 0;
    const auto children = tree_.children(directory_);
    for (std::uint64_t place = from; place < children.size() + 2; ++place) {
      if (place == 0)
        fits_ = add_plain(".", directory_, manifest::Kind::directory, place, plus);
      else if (place == 1)
        fits_ =
            add_plain("..", tree_.entry(directory_).parent, manifest::Kind::directory, place, plus);
      else
        fits_ = add_child(children[place - 2], place, plus);
      if (!fits_) break;
    }
    if (described == Described::sample && left_out_ == 0) to_.lists.sampled();
    if (!tree_.intact())
      fuse_reply_err(request_, EIO);
    else
      fuse_reply_buf(request_, buffer_.get(), used_);
  }

 private:
  // Without a size there are no attributes to send; the kernel asks when somebody wants them.  Of
  // what is past it must not learn any.  It will enter directories, whatever becomes of files.
  bool describes(const std::optional<Node>& node, manifest::Kind kind) {
    if (!node || !present_) return false;
    if (kind == manifest::Kind::directory) return true;
    if (left_out_ == 0) return describes_files_;
    --left_out_;
    return false;
  }

  bool add_child(manifest::Row row, std::uint64_t place, bool plus) {
    const manifest::Entry entry = tree_.entry(row);
    name_.assign(entry.name);
    const std::optional<Node> node = to_.files.known(*names_, row);
    if (plus && describes(node, entry.kind))
      return add(to_entry(*node, to_.look), name_.c_str(), place);
    if (plus || !node) return add_plain(name_.c_str(), row, entry.kind, place, plus);
    return add(to_entry_stat(node->attributes.inode, entry.kind), name_.c_str(), place);
  }

  bool add_plain(const char* name, manifest::Row row, manifest::Kind kind, std::uint64_t place,
                 bool plus) {
    fuse_entry_param entry = {};  // inode 0: a name without a lookup
    entry.attr = to_entry_stat(inode_of(names_->number(row), 0), kind);
    return plus ? add(entry, name, place) : add(entry.attr, name, place);
  }

  bool add(const fuse_entry_param& entry, const char* name, std::uint64_t place) {
    return take(fuse_add_direntry_plus(request_, buffer_.get() + used_, room_ - used_, name, &entry,
                                       offset_after(place)));
  }

  bool add(const struct stat& stat, const char* name, std::uint64_t place) {
    return take(fuse_add_direntry(request_, buffer_.get() + used_, room_ - used_, name, &stat,
                                  offset_after(place)));
  }

  off_t offset_after(std::uint64_t place) const noexcept {
    return static_cast<off_t>((place + 1) << FileSystem::kMarkBits | FileSystem::mark(*names_));
  }

  // An entry that does not fit was not written; its size is told all the same.
  bool take(std::size_t size) {
    if (size > room_ - used_) return false;
    used_ += size;
    return true;
  }

  const fuse_req_t request_;
  Served& to_;
  const std::shared_ptr<const Catalogue> names_;
  const bool present_;
  const manifest::Tree& tree_;
  const manifest::Row directory_;
  const std::size_t room_;
  const std::unique_ptr<char[]> buffer_;
  std::string name_;
  std::size_t used_ = 0;
  bool fits_ = true;
  bool describes_files_ = false;
  std::size_t left_out_ = 0;  // files that are yet to be
};

}  // namespace

void reply_listing(fuse_req_t request, Served& to, fuse_ino_t directory, std::size_t room,
                   off_t from, bool plus) {
  const auto at = static_cast<std::uint64_t>(from);
  auto names = at == 0 ? to.files.names() : to.files.marked(at);
  const auto row = names->row(number_of(directory));
  const auto kind = row ? names->tree().entry(*row).kind : manifest::Kind::directory;
  int error = 0;
  if (!names->tree().intact())
    error = EIO;
  else if (!row)
    error = ESTALE;
  else if (kind != manifest::Kind::directory || from < 0)
    error = ENOTDIR;
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const bool large = names->tree().children(*row).size() > kFew;
  const Described files = described(to.lists, directory, large, at == 0);
  Listing(request, to, std::move(names), *row, room).send(at >> FileSystem::kMarkBits, plus, files);
}

}  // namespace skimfs::fs::shell
