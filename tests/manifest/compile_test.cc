// SPDX-License-Identifier: MIT
//
// Building an index, and the indexes that mounts keep for the next one.
#include "fs/manifest/compile.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <set>
#include <string>

#include "tests/manifest/helpers.h"

namespace skimfs::fs::manifest {
namespace {

namespace files = std::filesystem;

std::string text_of(int entries, const std::string& size = "1") {
  std::string text = "#skimfs 1\n@base https://h.example/\n";
  for (int each = 0; each < entries; ++each)
    text += "/d" + std::to_string(each / 100) + "/" + std::to_string(each) + "\t" + size +
            "\t-\t-\t=\n";
  return text + "@end " + std::to_string(entries) + "\n";
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& each : files::directory_iterator(folder)) names.insert(each.path().filename());
  return names;
}

// Bytes that this process has read by read(2) so far, see proc(5).
std::uint64_t bytes_read() {
  std::ifstream in("/proc/self/io");
  std::string word;
  std::uint64_t bytes = 0;
  in >> word >> bytes;
  return bytes;
}

class Kept : public testing::Test {
 protected:
  Loaded mount(const ReadOptions& options = {}) {
    return load_kept(scratch_.path(), options, {.directory = cache_, .least_text = 1000});
  }
  std::set<std::string> indexes() const {
    std::set<std::string> found;
    for (const std::string& name : names_in(cache_))
      if (name.ends_with(".skimx")) found.insert(name);
    return found;
  }

  const Scratch scratch_;
  const std::string cache_ = scratch_.folder() + "/cache";
};

TEST(Compile, WritesAnIndexThatLoadsAsItsText) {
  const Scratch scratch;
  scratch.write(text_of(1000));
  const std::string out = scratch.folder() + "/x.skimx";
  const Loaded compiled = compile(scratch.path(), out, {});
  expect_same(*load(scratch.path(), {}).tree, *compiled.tree);
  expect_same(*load(scratch.path(), {}).tree, *load(out, {}).tree);
  EXPECT_EQ(names_in(scratch.folder()), (std::set<std::string>{"m", "x.skimx"}));
}

TEST(Compile, ReplacesAnOlderIndexButNothingElse) {
  const Scratch scratch;
  scratch.write(text_of(10));
  const std::string out = scratch.folder() + "/x";
  compile(scratch.path(), out, {});
  scratch.write(text_of(20));
  EXPECT_EQ(compile(scratch.path(), out, {}).tree->totals().files, 20u);
  EXPECT_THROW(compile(scratch.path(), scratch.path(), {}), ManifestError);  // over its own text
  EXPECT_EQ(load(scratch.path(), {}).tree->totals().files, 20u);
}

TEST(Compile, LeavesTheOldIndexWhenTheTextIsBad) {
  const Scratch scratch;
  scratch.write(text_of(10));
  const std::string out = scratch.folder() + "/x";
  compile(scratch.path(), out, {});
  scratch.write(text_of(20) + "more\n");
  EXPECT_THROW(compile(scratch.path(), out, {}), ManifestError);
  EXPECT_EQ(load(out, {}).tree->totals().files, 10u);
  EXPECT_EQ(names_in(scratch.folder()), (std::set<std::string>{"m", "x"}));
}

TEST(Compile, AnIndexIsNoTextForOptionsAndNoInputForAnother) {
  const Scratch scratch;
  scratch.write(text_of(10));
  const std::string out = scratch.folder() + "/x";
  compile(scratch.path(), out, {});
  ReadOptions options;
  options.base = "http://other/";
  EXPECT_THROW(load(out, options), ManifestError);
  EXPECT_THROW(compile(out, scratch.folder() + "/y", {}), ManifestError);
}

TEST(Compile, ADamagedIndexIsFoundByACheckOfAllOfIt) {
  const Scratch scratch;
  scratch.write(text_of(1000));
  const std::string out = scratch.folder() + "/x";
  compile(scratch.path(), out, {});
  std::fstream(out, std::ios::in | std::ios::out | std::ios::binary).seekp(30000) << "damage";
  EXPECT_TRUE(load(out, {}).tree->intact());  // as long as nobody looks there
  ReadOptions checking;
  checking.report = [](const ManifestError&) {};
  EXPECT_THROW(load(out, checking), ManifestError);
}

TEST(Compile, AFullDiskIsAnErrorAndLeavesNothing) {
  const Scratch scratch;
  scratch.write(text_of(1000));
  const auto with_little_room = [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit least{100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &least);
    try {
      compile(scratch.path(), scratch.folder() + "/x", {});
    } catch (const ManifestError& error) {
      const bool told = std::string(error.what()).find("cannot be written") != std::string::npos;
      _exit(told && names_in(scratch.folder()).size() == 1 ? 7 : 1);
    }
    _exit(0);
  };
  EXPECT_EXIT(with_little_room(), testing::ExitedWithCode(7), "");
}

TEST_F(Kept, TheSecondMountFindsWhatTheFirstOneMade) {
  scratch_.write(text_of(1000));
  const Loaded first = mount(), second = mount();
  EXPECT_EQ(first.kept_index, second.kept_index);
  EXPECT_TRUE(files::exists(first.kept_index));
  EXPECT_TRUE(first.warnings.empty() && second.warnings.empty());
  expect_same(*load(scratch_.path(), {}).tree, *first.tree);
  expect_same(*first.tree, *second.tree);
  struct stat folder {};
  ASSERT_EQ(stat(cache_.c_str(), &folder), 0);
  EXPECT_EQ(folder.st_mode & 0777u, 0700u);
}

TEST_F(Kept, ASmallTextIsJustRead) {
  scratch_.write("#skimfs 1\n/a\t1\t-\t-\thttp://h/x\n@end 1\n");
  EXPECT_EQ(mount().kept_index, "");
  EXPECT_FALSE(files::exists(cache_));
}

TEST_F(Kept, ATextThatIsTheSameAgainKeepsItsIndex) {
  scratch_.write(text_of(1000));
  const auto made = files::last_write_time(mount().kept_index);
  scratch_.write(text_of(1000));
  EXPECT_EQ(files::last_write_time(mount().kept_index), made);
  EXPECT_EQ(indexes().size(), 1u);
}

TEST_F(Kept, AnotherTextOfTheSameLengthIsNotTakenForIt) {
  scratch_.write(text_of(1000, "1"));
  const std::string before = mount().kept_index;
  scratch_.write(text_of(1000, "2"));
  const Loaded after = mount();
  EXPECT_NE(after.kept_index, before);
  EXPECT_EQ(after.tree->totals().bytes, 2000u);
  EXPECT_EQ(indexes().size(), 1u) << "what no text needs any more is removed";
}

TEST_F(Kept, OneTextReadInTwoWaysHasTwoIndexes) {
  scratch_.write(text_of(1000));
  const std::string one = mount().kept_index;
  ReadOptions raw;
  raw.raw_names = true;
  const std::string other = mount(raw).kept_index;
  EXPECT_NE(one, other);
  EXPECT_EQ(indexes().size(), 2u);
  EXPECT_EQ(mount().kept_index, one);
}

TEST_F(Kept, AnIndexThatIsCutOrDamagedInItsHeaderIsMadeAnew) {
  scratch_.write(text_of(1000));
  const std::string index = mount().kept_index;
  files::resize_file(index, files::file_size(index) - 1);
  expect_same(*load(scratch_.path(), {}).tree, *mount().tree);
  std::fstream(index, std::ios::in | std::ios::out | std::ios::binary).seekp(20) << "damage";
  expect_same(*load(scratch_.path(), {}).tree, *mount().tree);
  files::remove(index);
  expect_same(*load(scratch_.path(), {}).tree, *mount().tree);
  EXPECT_EQ(indexes().size(), 1u);
}

TEST_F(Kept, AnIndexOfAnotherTextUnderThisNameIsNotTaken) {
  scratch_.write(text_of(1000));
  const std::string index = mount().kept_index;
  const std::string other = scratch_.folder() + "/other";
  std::ofstream(other) << text_of(500);
  files::remove(index);
  compile(other, index, {});
  expect_same(*load(scratch_.path(), {}).tree, *mount().tree);
}

TEST_F(Kept, ABadTextFailsAsEver) {
  scratch_.write(text_of(1000) + "more\n");
  std::string kept;
  try {
    mount();
  } catch (const ManifestError& error) {
    kept = error.what();
  }
  EXPECT_NE(kept, "");
  try {
    load(scratch_.path(), {});
  } catch (const ManifestError& error) {
    EXPECT_EQ(kept, error.what());
  }
  EXPECT_TRUE(names_in(cache_).empty());
}

TEST_F(Kept, WhereNothingCanBeKeptTheTextIsReadAndSaidSo) {
  scratch_.write(text_of(1000));
  std::ofstream(cache_) << "no directory";
  const Loaded loaded = mount();
  EXPECT_EQ(loaded.kept_index, "");
  ASSERT_EQ(loaded.warnings.size(), 1u);
  EXPECT_EQ(loaded.warnings[0].find("not kept compiled"), 0u) << loaded.warnings[0];
  expect_same(*load(scratch_.path(), {}).tree, *loaded.tree);
}

TEST_F(Kept, ADirectoryThatOthersMayWriteToIsNotUsed) {
  scratch_.write(text_of(1000));
  files::create_directory(cache_);
  files::permissions(cache_, files::perms(0755));
  EXPECT_EQ(mount().kept_index, "");
  EXPECT_TRUE(names_in(cache_).empty());
}

TEST_F(Kept, WhatATextThatIsGoneLeftBehindIsRemoved) {
  scratch_.write(text_of(1000));
  mount();
  const std::string moved = scratch_.folder() + "/n";
  files::rename(scratch_.path(), moved);
  std::ofstream(moved) << text_of(900);
  load_kept(moved, {}, {.directory = cache_, .least_text = 1000});
  EXPECT_EQ(indexes().size(), 1u);
  EXPECT_EQ(names_in(cache_).size(), 2u);
}

TEST_F(Kept, ATextThatNobodyTouchedIsNotReadAgain) {
  scratch_.write(text_of(20'000));
  mount();
  const auto size = files::file_size(scratch_.path());

  // Just written: another change might bear the same time, so it is read to know it.
  std::uint64_t before = bytes_read();
  mount();
  EXPECT_GE(bytes_read() - before, size);

  // What a mount after a while writes down.
  struct stat text {};
  ASSERT_EQ(stat(scratch_.path().c_str(), &text), 0);
  for (const std::string& name : names_in(cache_)) {
    if (!name.ends_with(".note")) continue;
    std::ifstream in(cache_ + "/" + name);
    std::string magic, device, inode, bytes, written, changed, rest;
    in >> magic >> device >> inode >> bytes >> written >> changed;
    std::getline(in, rest, '\0');
    EXPECT_EQ(changed, "-1");
    std::ofstream(cache_ + "/" + name)
        << magic << '\n'
        << device << ' ' << inode << ' ' << bytes << ' ' << written << ' '
        << text.st_ctim.tv_sec * 1'000'000'000 + text.st_ctim.tv_nsec << rest;
  }
  before = bytes_read();
  EXPECT_NE(mount().kept_index, "");
  EXPECT_LT(bytes_read() - before, size / 2);
}

}  // namespace
}  // namespace skimfs::fs::manifest
