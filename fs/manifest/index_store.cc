// SPDX-License-Identifier: MIT
//
// See index_store.h.
#include "fs/manifest/index_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

#include "fs/manifest/encoding.h"
#include "fs/manifest/mapping.h"
#include "fs/manifest/new_file.h"
#include "fs/manifest/reference.h"

namespace skimfs::fs::manifest {
namespace {

namespace files = std::filesystem;

constexpr std::string_view kIndexSuffix = ".skimx";
constexpr std::string_view kNoteSuffix = ".note";
constexpr std::string_view kNoteMagic = "skimfs-note-1";
constexpr std::size_t kReadingDigits = 16;  // of the SHA-256, enough to tell a few apart
// Two writes so close together may bear one time.  Generous: FAT counts in steps of two seconds.
constexpr std::chrono::nanoseconds kSettled = std::chrono::seconds(4);
constexpr std::int64_t kNever = -1;           // a time that no file has
constexpr std::chrono::hours kAbandoned{24};  // a new file that nobody finished

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string short_hex(const Digest& digest) { return hex(digest).substr(0, kReadingDigits); }

std::optional<Digest> parse_hex(std::string_view text) {
  Digest digest{};
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t at = 0; at < digest.size(); ++at) {
    const int high = hex_value(text[2 * at]), low = hex_value(text[2 * at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[at] = static_cast<unsigned char>(high * 16 + low);
  }
  return digest;
}

// What a note's file says; empty where it says something else.
struct NoteText {
  IndexNote note;
  std::string path;
};
std::optional<NoteText> read_note(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  NoteText text;
  std::string magic, digest, path;
  Stamp& stamp = text.note.stamp;
  in >> magic >> stamp.device >> stamp.inode >> stamp.size >> stamp.written >> stamp.changed >>
      digest >> path;
  const auto parsed = parse_hex(digest);
  if (!in || magic != kNoteMagic || !parsed) return std::nullopt;
  text.note.text = *parsed;
  try {
    check_reference(path, true);
  } catch (const BadText&) {
    return std::nullopt;
  }
  text.path = percent_decode(path);
  return text;
}

}  // namespace

Stamp stamp_of(const struct stat& file) noexcept {
  return {file.st_dev, file.st_ino, static_cast<std::uint64_t>(file.st_size),
          nanoseconds(file.st_mtim), nanoseconds(file.st_ctim)};
}

Digest reading_of(const ReadOptions& options) {
  std::string text = "skimfs " SKIMFS_VERSION;
  for (const std::string& each :
       {options.format, options.base, std::to_string(options.strip),
        std::string(options.raw_names ? "raw" : "utf8"),
        std::string(options.on_bad_entry == OnBadEntry::skip ? "skip" : "fail")}) {
    text += '\0';
    text += each;
  }
  return digest_of(text);
}

IndexStore::IndexStore(const std::string& directory) : directory_(directory) {
  // The parents are not ours to make, but for the last one: ~/.cache may be missing.
  for (const std::string& each : {directory_of(directory), directory}) {
    if (::mkdir(each.c_str(), 0700) != 0 && errno != EEXIST) fail(errno, each);
  }
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(errno, directory);
  struct stat status {};
  const bool known = ::fstat(fd, &status) == 0;
  const bool remote = is_remote(fd);
  ::close(fd);
  if (!known || status.st_uid != ::geteuid() || (status.st_mode & 0077) != 0)
    fail(EPERM, directory + " is not a directory of this user alone (mode 0700)");
  if (remote) fail(ENOTSUP, directory + " is on a network file system");
}

std::string IndexStore::index_path(const Digest& text, const Digest& reading) const {
  return directory_ + "/" + hex(text) + "." + short_hex(reading) + std::string(kIndexSuffix);
}

std::string IndexStore::note_path(const IndexKey& key) const {
  return directory_ + "/" + short_hex(digest_of(key.path)) + "." + short_hex(key.reading) +
         std::string(kNoteSuffix);
}

std::optional<Index> IndexStore::open(const Digest& text, const Digest& reading) const {
  const int fd = ::open(index_path(text, reading).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return std::nullopt;
  std::optional<Index> index;
  try {
    index = open_index(fd);
    if (index->provenance.text != text || index->provenance.reading != reading) index.reset();
  } catch (const IndexError&) {
    // Made anew by the caller, which is all that could be said of it.
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
  return index;
}

std::optional<IndexNote> IndexStore::note(const IndexKey& key) const {
  const auto text = read_note(note_path(key));
  if (!text || text->path != key.path) return std::nullopt;
  return text->note;
}

void IndexStore::remember(const IndexKey& key, const Stamp& file, const Digest& text) const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const bool settled = std::chrono::nanoseconds(file.changed) + kSettled < now;
  std::ostringstream out;
  out << kNoteMagic << '\n'
      << file.device << ' ' << file.inode << ' ' << file.size << ' ' << file.written << ' '
      << (settled ? file.changed : kNever) << '\n'
      << hex(text) << '\n'
      << percent_encode(key.path) << '\n';
  NewFile note(note_path(key), 0600);
  note.write(out.str());
  note.commit();
}

void IndexStore::sweep() const {
  std::set<std::string> needed;
  std::vector<files::path> indexes;
  for (const auto& entry : files::directory_iterator(directory_)) {
    const files::path& path = entry.path();
    const std::string name = path.filename().string();
    if (path.extension() == kIndexSuffix) indexes.push_back(path);
    if (path.extension() == kNoteSuffix) {
      const auto text = read_note(path.string());
      const std::string reading = path.stem().extension().string();
      std::error_code hidden;
      if (text && (files::exists(text->path, hidden) || hidden))
        needed.insert(hex(text->note.text) + reading + std::string(kIndexSuffix));
      else
        files::remove(path);
    }
    std::error_code gone;
    const auto age = files::file_time_type::clock::now() - entry.last_write_time(gone);
    if (name.starts_with(kNewFilePrefix) && !gone && age > kAbandoned) files::remove(path);
  }
  for (const files::path& index : indexes) {
    if (!needed.contains(index.filename().string())) files::remove(index);
  }
}

}  // namespace skimfs::fs::manifest
