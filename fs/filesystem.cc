// SPDX-License-Identifier: MIT
//
// See filesystem.h.
#include "fs/filesystem.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <new>
#include <utility>

#include "fetch/error.h"
#include "fs/beginnings.h"
#include "fs/files.h"
#include "fs/fill.h"
#include "fs/log.h"
#include "fs/older_names.h"
#include "fs/reader.h"
#include "fs/resolver.h"
#include "fs/sibling_reader.h"
#include "fs/xattr.h"

namespace skimfs::fs {

namespace {

// Seconds.  What the manifest states of an inode holds until it is reloaded, and then the kernel is
// told.
constexpr double kStatedTimeout = 86400;
// A file that changes under each answer is no longer looked up after so many.
constexpr int kLookups = 4;

std::error_code code(std::errc what) { return std::make_error_code(what); }

// Of the first part that has one; empty: nothing has come yet.
std::string last_url(const manifest::Content& content, const VersionPin& pin) {
  for (std::size_t part = 0; part < content.parts.size(); ++part) {
    const std::vector<std::string>& urls = content.parts[part].urls;
    if (urls.empty()) continue;
    const auto source = pin.last_source(part);
    return source ? urls[*source] : std::string();
  }
  return {};
}

// Runs what answers `to`; if it lacks the memory, that is the answer.
template <class Body>
void answering(Answer& to, Body body) noexcept {
  try {
    body();
  } catch (const std::bad_alloc&) {
    to.fail(code(std::errc::not_enough_memory));
  }
}

bool one_object(const RemoteFile& file) {
  return file.parts().size() == 1 && file.parts().front().remote;
}

}  // namespace

struct FileSystem::Parts final : FillJudge {
  Parts(std::shared_ptr<const manifest::Tree> tree, cache::BlockCache& blocks,
        fetch::Fetching& fetching, const fetch::Clock& time, FileSystemLimits with)
      : cache(blocks),
        clock(time),
        limits(with),
        files(std::move(tree), with.default_mtime, with.validator, with.verify, with.credentials),
        context{fetching, time, *this},
        reader(blocks, context, {with.window_max, with.segment_max}, with.spool_max),
        beginnings(blocks, context),
        resolver(files, beginnings, fetching, time, [this](Inode inode) { ended(inode); }),
        siblings(files, blocks, reader, resolver, fetching, time,
                 {with.siblings_max, with.siblings_bytes_max}) {}

  // As Files::Replaced; what is added needs no memory then.
  struct Untold {
    std::list<Inode> attributes, contents;
  };

  std::error_code differs(RemoteFile& file, std::size_t part) override {
    if (file.pin().differs(part) == VersionPin::Difference::contradiction)
      return make_error_code(fetch::Errc::bad_response);
    ended(file.inode());
    return make_error_code(fetch::Errc::changed);
  }

  void failed(RemoteFile& file, std::error_code why) noexcept override { note_error(file, why); }

  void note_error(const RemoteFile& file, std::error_code why) noexcept {
    try {
      files.note_error(number_of(file.inode()), why);
    } catch (const std::bad_alloc&) {
      // Its readers hear of it all the same.
    }
  }

  void checked(RemoteFile& file, cache::Extent unit, bool right) noexcept override {
    if (right) {
      verified += unit.length;
    } else {
      tell_mismatch(file, unit, file.is_list() ? "fetch-list-again" : "fetch-again");
    }
    try {
      file.integrity()->checked(unit, right);
    } catch (const std::bad_alloc&) {
      // What is not noted counts as not verified.
    }
  }

  void refuted(RemoteFile& file) noexcept override {
    note_error(file, make_error_code(fetch::Errc::digest_mismatch));
    tell_mismatch(file, {0, file.size()}, "refuse");
    try {
      tell(&Untold::contents, {file.inode()});
    } catch (const std::bad_alloc&) {
      // Only pages that the kernel has are given out.
    }
  }

  // See take_ended().  `inode`: a list of it, made before anything happens that must be told.
  void tell(std::list<Inode> Untold::*what, std::list<Inode> inode) noexcept {
    if (!limits.tell_ended) return;
    const std::lock_guard lock(untold_mutex);
    (untold.*what).splice((untold.*what).end(), inode);
  }

  Files::Replaced take_ended() noexcept {
    Untold all;
    {
      const std::lock_guard lock(untold_mutex);
      std::swap(all, untold);
    }
    try {
      return {{all.attributes.begin(), all.attributes.end()},
              {all.contents.begin(), all.contents.end()}};
    } catch (const std::bad_alloc&) {
      tell(&Untold::attributes, std::move(all.attributes));  // the next time
      tell(&Untold::contents, std::move(all.contents));
      return {};
    }
  }

  void tell_mismatch(const RemoteFile& file, cache::Extent bytes, const char* action) noexcept {
    mismatches++;
    try {
      const std::string path = file.is_list() ? files.path(number_of(file.inode())) : file.path();
      log::event(log::Level::warning, "digest_mismatch", path,
                 "path=" + log::escape(path) + " off=" + std::to_string(bytes.offset) +
                     " len=" + std::to_string(bytes.length) +
                     " digest=" + std::string(algorithm_name(file.integrity()->plan().algorithm)) +
                     " act=" + action);
    } catch (const std::bad_alloc&) {
      // It has been counted.
    }
  }

  // Before a program hears ESTALE of an open, the kernel looks the name up again and opens what it
  // leads to now (fs/namei.c, do_filp_open); not of a read that stands for it.
  void count_open_error(std::error_code why) noexcept {
    if (why != fetch::Errc::changed || limits.tell_ended) refused++;
  }

  // A handle, but of a file of which no byte may be served.
  Result<std::shared_ptr<OpenFile>> handle(std::shared_ptr<RemoteFile> file) {
    const auto why = file->refusal();
    if (!why) return std::make_shared<OpenFile>(std::move(file));
    count_open_error(why);
    if (why == fetch::Errc::unverifiable) {
      log::event(log::Level::error, "unverifiable", file->path(),
                 "path=" + log::escape(file->path()) + " why=\"" +
                     file->integrity()->plan().refusal + "\" act=refuse errno=EIO");
    }
    return tl::unexpected(why);
  }

  void overdue(RemoteFile& file, cache::Extent bytes) noexcept override {
    try {
      files.note_error(number_of(file.inode()), make_error_code(fetch::Errc::timed_out));
      log::event(log::Level::warning, "deadline", file.path(),
                 "path=" + log::escape(file.path()) + " off=" + std::to_string(bytes.offset) +
                     " len=" + std::to_string(bytes.length) + " act=give-up errno=ETIMEDOUT");
    } catch (const std::bad_alloc&) {
      // Counted all the same, by the reader.
    }
  }

  // New opens of the name get a new inode; what is cached of the old one serves its handles.  The
  // kernel is not told, unless it opens without asking: opening the old inode is ESTALE, so it
  // looks the name up again.  Throws std::bad_alloc, and is called again when the inode is opened.
  void ended(Inode inode) {
    std::list<Inode> one{inode};
    if (!files.supersede(inode)) return;
    changed++;
    tell(&Untold::attributes, std::move(one));
    log_ended(inode);
  }

  void log_ended(Inode inode) const noexcept {
    try {
      const std::string path = files.path(number_of(inode));
      log::event(log::Level::warning, "changed", path,
                 "path=" + log::escape(path) + " act=new-inode errno=ESTALE");
    } catch (const std::bad_alloc&) {
      // It has been counted.
    }
  }

  // What an inode leads to.  Where a version has ended and there was no memory for the next one,
  // the name leads to it still.
  Result<std::shared_ptr<RemoteFile>> present(Inode inode) {
    auto file = files.open(inode);
    if (!file || !(*file)->pin().ended()) return file;
    ended(inode);
    return tl::unexpected(make_error_code(fetch::Errc::changed));
  }

  // Of the file that a name leads to.
  Result<FileNumber> number(Inode parent, std::string_view name) const {
    const auto names = files.names();
    const auto directory = names->row(number_of(parent));
    const auto row = directory ? names->tree().find(*directory, name) : std::nullopt;
    if (const auto why = Files::fault(*names)) return tl::unexpected(why);
    if (!directory) return tl::unexpected(make_error_code(fetch::Errc::changed));
    if (!row) return tl::unexpected(code(std::errc::no_such_file_or_directory));
    return names->number(*row);
  }

  // Where a name leads, as far as that is known.
  struct Found {
    std::optional<Result<Node>> node;              // empty: a server has to be asked
    std::optional<FileNumber> unstated_size = {};  // of this file: none is in the manifest
  };
  // A size that nobody has looked at since it was asked for is none that anybody relies on.
  bool too_old(fetch::TimePoint asked) const {
    return !limits.immutable && clock.now() - asked > limits.revalidate;
  }
  Found find(Inode parent, std::string_view name) {
    const auto names = files.names();
    const auto directory = names->row(number_of(parent));
    const auto row = directory ? names->tree().find(*directory, name) : std::nullopt;
    const auto known = row ? files.attributes(*names, *row) : std::nullopt;
    if (const auto why = Files::fault(*names)) return {tl::unexpected(why)};
    if (!directory) return {tl::unexpected(make_error_code(fetch::Errc::changed))};
    if (!row) return {tl::unexpected(code(std::errc::no_such_file_or_directory))};
    if (known && known->size_stated) return {node(*known)};
    const FileNumber number = names->number(*row);
    const auto asked_early = files.looked_up(number);
    if (known && !(asked_early && too_old(*asked_early))) {
      // Told a moment ago, while the first bytes that came with it find their place: whoever read
      // now would ask for them again.
      if (resolver.asks_size(number)) return {std::nullopt, number};
      return {node(*known), number};
    }
    if (known) files.supersede(known->inode);
    if (const auto failure = files.failure(number, clock.now())) {
      refused++;
      return {tl::unexpected(failure), number};
    }
    return {std::nullopt, number};
  }

  Node node(const Attributes& attributes) const {
    const double timeout = attributes.size_stated || limits.immutable
                               ? kStatedTimeout
                               : static_cast<double>(limits.revalidate.count());
    return {attributes, std::min(timeout, static_cast<double>(kNameTimeout.count())), timeout};
  }

  void note_read(OpenFile& file, cache::Extent bytes) noexcept {
    const RemoteFile& remote = *file.remote();
    const bool first = file.first_read();
    if (first && files.first_use_of_probe(remote.inode())) beginnings.note_read(remote, bytes);
    siblings.note_read(remote, bytes, first);
  }

  bool must_revalidate(const RemoteFile& file) const {
    return !limits.immutable && one_object(file) && file.pin().learned() &&
           file.pin().due(clock.now(), limits.revalidate);
  }

  cache::BlockCache& cache;
  const fetch::Clock& clock;
  const FileSystemLimits limits;
  Files files;
  const FillContext context;
  Reader reader;
  Beginnings beginnings;
  Resolver resolver;
  OlderNames older;
  SiblingReader siblings;
  std::mutex untold_mutex;
  Untold untold;  // guarded by untold_mutex
  std::atomic<std::uint64_t> changed{0};
  std::atomic<std::uint64_t> verified{0};  // bytes
  std::atomic<std::uint64_t> mismatches{0};
  std::atomic<std::uint64_t> refused{0};  // lookups and opens that ended in an error
};

FileSystem::FileSystem(std::shared_ptr<const manifest::Tree> tree, cache::BlockCache& cache,
                       fetch::Fetching& fetching, const fetch::Clock& clock,
                       FileSystemLimits limits)
    : parts_(std::make_unique<Parts>(std::move(tree), cache, fetching, clock, limits)) {}

FileSystem::~FileSystem() = default;

std::shared_ptr<const Catalogue> FileSystem::names() const { return parts_->files.names(); }

std::uint64_t FileSystem::mark(const Catalogue& names) noexcept {
  return names.epoch() & ((1u << kMarkBits) - 1);
}

std::shared_ptr<const Catalogue> FileSystem::marked(std::uint64_t marked) const {
  const auto meant = [marked](const Catalogue& names) {
    return ((mark(names) ^ marked) & ((1u << kMarkBits) - 1)) == 0;
  };
  auto now = names();
  if (meant(*now)) return now;
  auto older = parts_->older.find(meant);
  return older ? older : now;
}

Result<Reloaded> FileSystem::reload(std::shared_ptr<const manifest::Tree> tree,
                                    manifest::Time undated, manifest::Time now,
                                    const std::stop_token& stop) {
  const auto before = names();
  const Succession found = succeed(*before, std::move(tree), undated, now, stop);
  if (const auto why = Files::fault(*before)) return tl::unexpected(why);
  if (const auto why = Files::fault(*found.next)) return tl::unexpected(why);
  Reloaded done{found.added, found.removed, found.changed, found.same, {}};
  parts_->older.keep(before, parts_->clock.now());  // first: a listing under way looks for it there
  done.inodes = parts_->files.replace(found);
  parts_->older.told(done.inodes);
  parts_->siblings.rename(found.next);
  return done;
}

std::vector<std::shared_ptr<const Files::Replaced>> FileSystem::forget_older_names() {
  return parts_->older.forget(parts_->clock.now());
}

Files::Replaced FileSystem::take_ended() noexcept { return parts_->take_ended(); }

std::optional<Result<Node>> FileSystem::try_lookup(Inode parent, std::string_view name) {
  auto found = parts_->find(parent, name);
  if (found.node && found.unstated_size) parts_->siblings.note_lookup(*found.unstated_size);
  return std::move(found.node);
}

void FileSystem::lookup(Inode parent, std::string_view name, std::shared_ptr<Answer> to) {
  look_up(parent, name, std::move(to), kLookups);
}

void FileSystem::look_up(Inode parent, std::string_view name, std::shared_ptr<Answer> to,
                         int tries) {
  const auto asked = parts_->number(parent, name);
  if (!asked) return to->fail(asked.error());
  parts_->resolver.size(*asked, [this, parent, name = std::string(name), asked = *asked, to,
                                 tries](std::error_code why) {
    answering(*to, [&] {
      const auto now = parts_->find(parent, name).node;
      if (now && *now) return to->entry(**now);
      if (now) return to->fail(now->error());
      // The name leads elsewhere meanwhile, or the version that was asked for has ended already.
      const auto is = parts_->number(parent, name);
      if (is && (*is != asked || !why) && tries > 1) return look_up(parent, name, to, tries - 1);
      parts_->refused++;
      to->fail(why ? why : make_error_code(fetch::Errc::no_length));
    });
  });
  parts_->siblings.note_lookup(*asked);
}

Result<Attributes> FileSystem::attributes(Inode inode) const {
  return parts_->files.attributes(inode);
}

bool FileSystem::ended(Inode inode) const { return parts_->files.ended(inode); }

std::optional<Node> FileSystem::known(const Catalogue& names, manifest::Row row) const {
  const auto attributes = parts_->files.attributes(names, row);
  if (!attributes) return std::nullopt;
  // Only a lookup shows that somebody wants the sizes that are asked for early.
  if (!attributes->size_stated && parts_->files.never_looked_up(names.number(row)))
    return std::nullopt;
  return parts_->node(*attributes);
}

double FileSystem::attribute_timeout(Inode inode) const {
  const auto found = attributes(inode);
  return found ? parts_->node(*found).attribute_timeout : 0;
}

std::optional<Result<std::shared_ptr<OpenFile>>> FileSystem::try_open(Inode inode) {
  auto file = parts_->present(inode);
  if (!file) {
    parts_->count_open_error(file.error());
    return tl::unexpected(file.error());
  }
  if (parts_->must_revalidate(**file)) return std::nullopt;
  return parts_->handle(*std::move(file));
}

void FileSystem::open(Inode inode, std::shared_ptr<Answer> to) {
  parts_->resolver.revalidate(inode, [parts = parts_.get(), inode, to](std::error_code why) {
    answering(*to, [&] {
      auto file = why ? tl::unexpected(why) : parts->present(inode);
      if (!file) {
        parts->count_open_error(file.error());
        return to->fail(file.error());
      }
      auto handle = parts->handle(*std::move(file));
      if (handle) return to->opened(*std::move(handle));
      to->fail(handle.error());
    });
  });
}

std::optional<ReadView> FileSystem::try_read(OpenFile& file, cache::Extent bytes) {
  auto view = parts_->reader.try_read(file.remote(), bytes);
  if (view) parts_->note_read(file, bytes);
  return view;
}

void FileSystem::read(std::shared_ptr<OpenFile> file, cache::Extent bytes,
                      std::shared_ptr<ReadAnswer> to) {
  parts_->reader.read(file->remote(), bytes, std::move(to));
  parts_->note_read(*file, bytes);
}

std::uint64_t FileSystem::size(const OpenFile& file) noexcept { return file.remote()->size(); }

bool FileSystem::refused(const OpenFile& file) noexcept { return bool(file.remote()->refusal()); }

Result<std::string> FileSystem::link_target(Inode inode) const {
  const auto names = parts_->files.names();
  const auto row = names->row(number_of(inode));
  if (!row) return tl::unexpected(make_error_code(fetch::Errc::changed));
  std::string target(names->tree().link_target(*row));
  if (const auto why = Files::fault(*names)) return tl::unexpected(why);
  if (target.empty()) return tl::unexpected(code(std::errc::invalid_argument));
  return target;
}

Result<std::string> FileSystem::xattr(Inode inode, std::string_view name) const {
  if (!name.starts_with("user.")) return tl::unexpected(code(std::errc::operation_not_supported));
  const auto names = parts_->files.names();
  const FileNumber number = number_of(inode);
  const auto row = names->row(number);
  if (!row) {
    if (const auto open = parts_->files.attributes(inode); !open)
      return tl::unexpected(open.error());
    return tl::unexpected(code(std::errc::no_message_available));
  }
  const bool file = names->tree().entry(*row).kind == manifest::Kind::file;
  const manifest::Content content = names->tree().content(*row);
  if (const auto why = Files::fault(*names)) return tl::unexpected(why);
  if (!file) return tl::unexpected(code(std::errc::no_message_available));
  XattrSource source{content};
  if (!content.parts.empty()) {  // an empty file has none
    const auto version = parts_->files.open(inode);
    const VersionPin stated(parts_->files.stated(content, {}));
    const VersionPin& pin = version ? (*version)->pin() : stated;
    source.version = pin.known(0);
    source.mirror = last_url(content, pin);
    if (version && (*version)->integrity()) source.verified = (*version)->integrity()->state();
  }
  source.cached = parts_->cache.held(inode);
  if (const auto why = parts_->files.last_error(number)) source.error = why.message();
  return fs::xattr(source, name);
}

Result<std::vector<std::string>> FileSystem::xattr_names(Inode inode) const {
  const auto names = parts_->files.names();
  const auto row = names->row(number_of(inode));
  if (!row) {
    if (const auto open = parts_->files.attributes(inode); !open)
      return tl::unexpected(open.error());
    return std::vector<std::string>{};
  }
  const bool file = names->tree().entry(*row).kind == manifest::Kind::file;
  auto list = file ? fs::xattr_names(names->tree().content(*row)) : std::vector<std::string>{};
  if (const auto why = Files::fault(*names)) return tl::unexpected(why);
  return list;
}

SpaceTotals FileSystem::totals() const {
  const manifest::Totals totals = names()->tree().totals();
  return {totals.bytes, totals.files + totals.directories + totals.links};
}

FileSystemStatus FileSystem::status() const {
  const ReadCounters& reads = parts_->reader.counters();
  return {.reads = reads.reads,
          .bytes_served = reads.bytes,
          .read_hits = reads.hits,
          .errors = reads.errors + parts_->refused,
          .probes = parts_->resolver.probes(),
          .versions_changed = parts_->changed,
          .bytes_verified = parts_->verified,
          .digest_mismatches = parts_->mismatches,
          .files_remembered = parts_->files.remembered()};
}

}  // namespace skimfs::fs
