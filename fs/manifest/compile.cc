// SPDX-License-Identifier: MIT
//
// See compile.h.
#include "fs/manifest/compile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "fs/manifest/index_store.h"
#include "fs/manifest/load_open.h"
#include "fs/manifest/new_file.h"
#include "fs/manifest/read_text.h"
#include "fs/manifest/text_file.h"

namespace skimfs::fs::manifest {
namespace {

// A text and the digest of all that was read of it.
struct Digested {
  ReadText read;
  Digest digest{};
};

Digested read_digested(const TextFile& text, const ReadOptions& options, const std::string& spool) {
  TextDigest digest;
  const auto source = [&](std::span<char> into) {
    const std::size_t got = text.read(into);
    digest.add(into.first(got));
    return got;
  };
  Digested all;
  all.read = read_text(source, text.name(), options, spool);
  // The readers stop at a fault that leaves the rest unjudged; the digest is of all of it.
  std::array<char, 64 * 1024> rest;
  while (source(rest) > 0) continue;
  all.digest = digest.finish();
  return all;
}

Digest digest_of(const TextFile& text) {
  TextDigest digest;
  std::array<char, 64 * 1024> buffer;
  while (const std::size_t got = text.read(buffer)) digest.add(std::span(buffer).first(got));
  text.rewind();
  return digest.finish();
}

// What `tree` is written to and mapped from.
Index write_to(NewFile& file, const Digested& all, const Digest& reading) {
  const Loaded& loaded = all.read.loaded;
  write_index(
      file.descriptor(), all.read.tree,
      {all.digest, reading, loaded.format, loaded.errors, loaded.examples, loaded.warnings});
  return open_index(file.descriptor());
}

mode_t usual_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

void check_target(const std::string& to) {
  const int fd = ::open(to.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && errno == ENOENT) return;
  const bool replaceable = fd >= 0 && is_index(fd);
  if (fd >= 0) ::close(fd);
  if (!replaceable)
    throw ManifestError(to, "is there and is no compiled manifest: remove it first");
}

// An index, and the text it was made from.
class Keeper {
 public:
  Keeper(const TextFile& text, const ReadOptions& options, const Keeping& keeping,
         const std::string& path)
      : text_(text),
        options_(options),
        before_(stamp_of(text.opened())),
        store_(keeping.directory),
        key_{std::filesystem::canonical(path).string(), reading_of(options)} {}

  std::optional<Loaded> find() const {
    const auto note = store_.note(key_);
    if (!note || note->stamp.size != before_.size) return std::nullopt;
    if (note->stamp != before_) {
      // Written anew, perhaps the same again: a digest is quicker than a tree.
      if (digest_of(text_) != note->text || stamp_of(text_.now()) != before_) return std::nullopt;
      store_.remember(key_, before_, note->text);
    }
    auto index = store_.open(note->text, key_.reading);
    if (!index) return std::nullopt;
    return mapped(*std::move(index), note->text);
  }

  Loaded make() const {
    Digested all = read_digested(text_, options_, store_.directory());
    if (stamp_of(text_.now()) != before_) {
      all.read.loaded.warnings.push_back("the text was written to while it was read");
      return with_tree(std::move(all.read));
    }
    NewFile file(store_.index_path(all.digest, key_.reading), 0600);
    Index index = write_to(file, all, key_.reading);
    store_.remember(key_, before_, all.digest);  // first: an index without a note is swept away
    file.commit();
    store_.sweep();
    return mapped(std::move(index), all.digest);
  }

 private:
  Loaded mapped(Index index, const Digest& text) const {
    Loaded loaded = loaded_from(std::move(index));
    loaded.kept_index = store_.index_path(text, key_.reading);
    return loaded;
  }

  const TextFile& text_;
  const ReadOptions& options_;
  const Stamp before_;
  const IndexStore store_;
  const IndexKey key_;
};

}  // namespace

Loaded compile(const std::string& from, const std::string& to, const ReadOptions& options) {
  const TextFile text(from);
  if (text.regular() && is_index(text.descriptor()))
    throw ManifestError(text.name(), "is compiled already");
  check_target(to);
  try {
    const Digested all = read_digested(text, options, directory_of(to));
    NewFile file(to, usual_mode());
    Index index = write_to(file, all, reading_of(options));
    file.commit();
    return loaded_from(std::move(index));
  } catch (const std::system_error& error) {
    throw ManifestError(to, std::string("cannot be written: ") + error.what());
  }
}

Loaded load_kept(const std::string& path, const ReadOptions& options, const Keeping& keeping) {
  const TextFile text(path, options.stop);
  const bool large = text.regular() && !is_index(text.descriptor()) &&
                     static_cast<std::uint64_t>(text.opened().st_size) >= keeping.least_text;
  if (!large) return load_open(text, options);
  try {
    const Keeper keeper(text, options, keeping, path);
    if (auto found = keeper.find()) return *std::move(found);
    return keeper.make();
  } catch (const std::system_error& error) {
    text.rewind();
    Loaded loaded = load_open(text, options);
    loaded.warnings.push_back(std::string("not kept compiled, see index= in skimfs(1): ") +
                              error.what());
    return loaded;
  }
}

}  // namespace skimfs::fs::manifest
