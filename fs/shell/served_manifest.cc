// SPDX-License-Identifier: MIT
#include "fs/shell/served_manifest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>

#include "fetch/url.h"
#include "fs/load_manifest.h"
#include "fs/log.h"
#include "fs/shell/settings.h"

namespace skimfs::fs::shell {
namespace {

manifest::Time wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return {seconds.count(),
          static_cast<std::uint32_t>(std::chrono::nanoseconds(now - seconds).count())};
}

struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t seconds = 0, nanoseconds = 0;  // when it was last written to

  // Another file in its place is no matter: what was read is whole.
  bool was_written_to(const FileState& now) const noexcept {
    return device == now.device && inode == now.inode &&
           (size != now.size || seconds != now.seconds || nanoseconds != now.nanoseconds);
  }
};

FileState state_of(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return {};
  return {file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
}

// What was read from a pipe is gone.
void check_readable_again(const std::string& source) {
  struct stat file {};
  if (source == "-" || (stat(source.c_str(), &file) == 0 && !S_ISREG(file.st_mode)))
    throw std::runtime_error(source + ": wanted a file that can be read again, found a stream; " +
                             "mount again");
}

}  // namespace

ServedManifest::ServedManifest(const Options& options, manifest::Loaded loaded, FileSystem& files,
                               Session& session, KeptLists& lists)
    : options_(options),
      source_(fetch::redact(options.source)),
      files_(files),
      session_(session),
      lists_(lists),
      skipped_lines_(loaded.errors),
      kept_index_(std::move(loaded.kept_index)),
      kept_of_(files.names()),
      shows_its_end_(manifest::shows_its_end(loaded)) {}

std::uint64_t ServedManifest::skipped_lines() const {
  const std::lock_guard lock(mutex_);
  return skipped_lines_;
}

std::string ServedManifest::reload(const std::stop_token& stop) {
  try {
    check_readable_again(options_.source);
    const FileState before = state_of(options_.source);
    manifest::Loaded loaded = load_manifest(options_, stop);
    if (before.was_written_to(state_of(options_.source)))
      throw std::runtime_error(source_ + ": was written to while it was read; write a new file " +
                               "beside it and rename that");
    return go_over(std::move(loaded), stop);
  } catch (const std::exception& error) {
    log::answer(log::Level::error, "manifest_error",
                "source=" + log::escape(source_) + " act=keep-old why=\"" +
                    log::escape(error.what()) + "\"");
    throw;
  }
}

std::string ServedManifest::go_over(manifest::Loaded loaded, const std::stop_token& stop) {
  const bool shows_its_end = manifest::shows_its_end(loaded);
  if (shows_its_end_ && !shows_its_end)  // somebody may be writing it
    throw std::runtime_error(source_ + ": wanted @end, as the one before had, found none: is it " +
                             "written whole?");
  report_loaded(loaded, source_);
  const auto done = files_.reload(loaded.tree, manifest_time(options_.source), wall_clock(), stop);
  if (!done) throw std::runtime_error(source_ + ": the compiled manifest is damaged; mount again");
  tell(*done->inodes, stop);
  {
    const std::lock_guard lock(mutex_);
    skipped_lines_ = loaded.errors;
    kept_index_ = std::move(loaded.kept_index);
    kept_of_ = files_.names();
  }
  shows_its_end_ = shows_its_end;
  const std::string counts = "+" + std::to_string(done->added) + " -" +
                             std::to_string(done->removed) + " ~" + std::to_string(done->changed) +
                             " =" + std::to_string(done->same);
  log::answer(log::Level::info, "reload",
              "source=" + log::escape(source_) + " act=swap names=\"" + counts + "\"");
  return counts;
}

// Not beside the end of the workers: the kernel may wait for an answer of theirs to what it is
// told.
void ServedManifest::tell(const std::vector<Inode>& inodes, Forget forget,
                          const std::stop_token& stop) noexcept {
  for (const Inode inode : inodes) {
    const std::lock_guard lock(telling_);
    if (stop.stop_requested()) return;
    (session_.*forget)(inode);
  }
}

void ServedManifest::tell(const Files::Replaced& inodes, const std::stop_token& stop) noexcept {
  tell(inodes.attributes, &Session::forget_attributes, stop);
  tell(inodes.contents, &Session::forget_contents, stop);
}

void ServedManifest::tell_again(const std::stop_token& stop) noexcept {
  try {
    for (const auto& inodes : files_.forget_older_names()) tell(*inodes, stop);
    tell(files_.take_ended(), stop);
    tell(lists_.take_useless(), &Session::forget_contents, stop);
  } catch (const std::bad_alloc&) {
    // Nothing is marked as told: it is tried again in a second.
  }
}

// From the moment a compiled manifest shows damage every name answers EIO.  One that was kept is
// removed, so that the next mount makes it anew.
void ServedManifest::watch() {
  const auto names = files_.names();
  if (names->tree().intact() || damaged_ == names) return;
  std::string index;
  {
    const std::lock_guard lock(mutex_);
    if (kept_of_ == names) index = kept_index_;
  }
  std::string text =
      "source=" + log::escape(source_) + " errno=EIO why=\"the compiled manifest is ";
  text += "damaged or was written to\" act=";
  if (index.empty())
    text += "\"build it again, then mount again\"";
  else if (unlink(index.c_str()) == 0 || errno == ENOENT)
    text += "\"removed it: mount again\"";
  else
    text += "\"remove it, then mount again\" index=" + log::escape(index);
  log::event(log::Level::error, "index", source_, std::move(text));
  damaged_ = names;  // last: without memory it is tried again
}

// Warnings are our own words and names that the reader has escaped.
void report_loaded(const manifest::Loaded& loaded, const std::string& source) {
  for (const std::string& warning : loaded.warnings)
    log::event(log::Level::warning, "manifest", warning, "text=\"" + warning + "\"");
  if (loaded.errors == 0) return;
  std::string text = "source=" + log::escape(source) + " lines=" + std::to_string(loaded.errors);
  if (!loaded.examples.empty()) text += " first=" + log::escape(loaded.examples.front());
  log::event(log::Level::warning, "skipped", source, std::move(text));
}

}  // namespace skimfs::fs::shell
