// SPDX-License-Identifier: MIT
//
// Names, attributes and everything a read-only file system must refuse.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

class Metadata : public MountTest {
 protected:
  Manifest manifest() const {
    return Manifest(origin_.base())
        .line("/d/\t-\t2020-02-03T04:05:06.5Z\t-\t-")
        .line("/d/z\t10\t2021-01-01T00:00:00Z\t-\t=")
        .line("/d/a\t20\t-\t-\t=\tmode=0555\ttype=text/plain")
        .line("/d/m\t3000000000000\t-\t-\t=")
        .line("/l\t-\t-\t-\t-\t!link=d/a")
        .line("/e/f/g\t5\t-\t-\t=\tetag=\"v1\"");
  }
  static struct stat stat_of(const std::string& path) {
    struct stat at {};
    EXPECT_EQ(::lstat(path.c_str(), &at), 0) << path << ": " << std::strerror(errno);
    return at;
  }

  HostileOrigin origin_;
};

// The errno of a call that returned -1, else 0.
int errno_of(long result) { return result < 0 ? errno : 0; }

// S-NAME-6
TEST_F(Metadata, EveryChangeIsRefused) {
  const Mount mount(manifest());
  const std::string f = mount / "d/a", d = mount / "d", n = mount / "d/new";
  const std::pair<const char*, std::function<long()>> changes[] = {
      {"open to write", [&] { return ::open(f.c_str(), O_WRONLY); }},
      {"open to read and write", [&] { return ::open(f.c_str(), O_RDWR); }},
      {"open to truncate", [&] { return ::open(f.c_str(), O_RDONLY | O_TRUNC); }},
      {"create", [&] { return ::open(n.c_str(), O_CREAT | O_WRONLY, 0600); }},
      {"an unnamed file", [&] { return ::open(d.c_str(), O_TMPFILE | O_RDWR, 0600); }},
      {"truncate", [&] { return ::truncate(f.c_str(), 0); }},
      {"unlink", [&] { return ::unlink(f.c_str()); }},
      {"rmdir", [&] { return ::rmdir((mount / "e/f").c_str()); }},
      {"rename", [&] { return ::rename(f.c_str(), n.c_str()); }},
      {"link", [&] { return ::link(f.c_str(), n.c_str()); }},
      {"symlink", [&] { return ::symlink("x", n.c_str()); }},
      {"mkdir", [&] { return ::mkdir(n.c_str(), 0700); }},
      {"mknod", [&] { return ::mknod(n.c_str(), S_IFIFO | 0600, 0); }},
      {"chmod", [&] { return ::chmod(f.c_str(), 0777); }},
      {"chown", [&] { return ::chown(f.c_str(), 1, 1); }},
      {"utimens", [&] { return ::utimensat(AT_FDCWD, f.c_str(), nullptr, 0); }},
      {"setxattr", [&] { return ::setxattr(f.c_str(), "user.x", "y", 1, 0); }},
      {"removexattr", [&] { return ::removexattr(f.c_str(), "user.x"); }},
      {"access to write", [&] { return ::access(f.c_str(), W_OK); }},
  };
  for (const auto& [name, change] : changes) {
    const int error = errno_of(change());
    EXPECT_EQ(error, EROFS) << name << ": " << std::strerror(error);
  }
  EXPECT_EQ(origin_.count(), 0u);
}

TEST_F(Metadata, StatShowsWhatTheManifestSays) {
  const Mount mount(manifest());
  const auto d = stat_of(mount / "d"), z = stat_of(mount / "d/z"), a = stat_of(mount / "d/a");
  EXPECT_TRUE(S_ISDIR(d.st_mode));
  EXPECT_EQ(d.st_mtim.tv_sec, 1580702706);
  EXPECT_EQ(d.st_mtim.tv_nsec, 500000000);
  EXPECT_EQ(d.st_mode & 07777, 0555u);
  EXPECT_EQ(d.st_nlink, 2u);
  EXPECT_EQ(z.st_size, 10);
  EXPECT_EQ(z.st_mtim.tv_sec, 1609459200);
  EXPECT_EQ(z.st_mode, S_IFREG | 0444u);
  EXPECT_EQ(z.st_nlink, 1u);
  EXPECT_EQ(a.st_mode, S_IFREG | 0555u);
  EXPECT_EQ(stat_of(mount / "d/m").st_size, 3000000000000);
  EXPECT_EQ(stat_of(mount / "d/m").st_blocks, 3000000000000 / 512);
  EXPECT_TRUE(S_ISLNK(stat_of(mount / "l").st_mode));
  EXPECT_EQ(stat_of(mount / "l").st_size, 3);
}

// S-NAME-5
TEST_F(Metadata, AFileWithoutATimeHasOneThatStays) {
  const Mount mount(manifest());
  const auto a = stat_of(mount / "d/a"), g = stat_of(mount / "e/f/g");
  EXPECT_EQ(a.st_mtim.tv_sec, g.st_mtim.tv_sec);
  EXPECT_LE(a.st_mtim.tv_sec, ::time(nullptr));
  EXPECT_EQ(stat_of(mount / "d/a").st_mtim.tv_sec, a.st_mtim.tv_sec);
}

TEST_F(Metadata, OptionsSetOwnersAndMasks) {
  const Mount mount(manifest(), "uid=12,gid=34,fmask=0337,dmask=0227");
  const auto a = stat_of(mount / "d/a"), d = stat_of(mount / "d");
  EXPECT_EQ(a.st_uid, 12u);
  EXPECT_EQ(a.st_gid, 34u);
  EXPECT_EQ(a.st_mode & 0777, 0440u);
  EXPECT_EQ(d.st_mode & 0777, 0550u);
}

// S-NAME-2
TEST_F(Metadata, FoldersListInTheOrderOfTheManifestAndOfInodes) {
  const Mount mount(manifest());
  DIR* const folder = ::opendir((mount / "d").c_str());
  ASSERT_NE(folder, nullptr);
  std::string names;
  ino_t last = 0;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    names += std::string(entry->d_name) + " ";
    EXPECT_GT(entry->d_ino, last);
    EXPECT_EQ(entry->d_ino, stat_of(mount / ("d/" + std::string(entry->d_name))).st_ino);
    EXPECT_EQ(entry->d_type, DT_REG);
    last = entry->d_ino;
  }
  ::closedir(folder);
  EXPECT_EQ(names, "z a m ");
}

TEST_F(Metadata, AFolderCanBeReadFromTheMiddleAndAgain) {
  Manifest many(origin_.base());
  for (int i = 0; i < 2000; ++i)
    many.file("/d/file-with-a-name-of-some-length-" + std::to_string(i), 1);
  const Mount mount(many);
  DIR* const folder = ::opendir((mount / "d").c_str());
  std::vector<std::string> names;
  std::vector<long> places;
  while (const dirent* entry = ::readdir(folder)) {
    names.emplace_back(entry->d_name);
    places.push_back(::telldir(folder));
  }
  ASSERT_EQ(names.size(), 2002u);
  ::seekdir(folder, places[1000]);
  EXPECT_EQ(::readdir(folder)->d_name, names[1001]);
  ::rewinddir(folder);
  EXPECT_EQ(::readdir(folder)->d_name, names[0]);
  ::closedir(folder);
}

TEST_F(Metadata, NamesThatAreNotThereSaySo) {
  const Mount mount(manifest());
  struct stat at {};
  EXPECT_EQ(errno_of(::stat((mount / "nothing").c_str(), &at)), ENOENT);
  EXPECT_EQ(errno_of(::stat((mount / "d/a/b").c_str(), &at)), ENOTDIR);
  EXPECT_EQ(errno_of(::stat((mount / std::string(256, 'n')).c_str(), &at)), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::open((mount / "d").c_str(), O_RDWR)), EISDIR);
  char byte;
  const int folder = ::open((mount / "d").c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(errno_of(::read(folder, &byte, 1)), EISDIR);
  ::close(folder);
  EXPECT_EQ(origin_.count(), 0u);
}

TEST_F(Metadata, LinksLeadWhereTheManifestSays) {
  const Mount mount(manifest());
  char target[100];
  const auto length = ::readlink((mount / "l").c_str(), target, sizeof target);
  EXPECT_EQ(std::string(target, static_cast<std::size_t>(std::max<ssize_t>(0, length))), "d/a");
  struct stat at {};
  ASSERT_EQ(::stat((mount / "l").c_str(), &at), 0);
  EXPECT_EQ(at.st_ino, stat_of(mount / "d/a").st_ino);
}

TEST_F(Metadata, AttributesTellWhereBytesComeFrom) {
  const Mount mount(manifest());
  const auto get = [&](const std::string& path, const char* name) {
    char value[4096];
    const auto length = ::getxattr((mount / path).c_str(), name, value, sizeof value);
    return length < 0 ? std::strerror(errno) : std::string(value, static_cast<std::size_t>(length));
  };
  EXPECT_EQ(get("d/a", "user.xdg.origin.url"), origin_.url("/d/a"));
  EXPECT_EQ(get("d/a", "user.mime_type"), "text/plain");
  EXPECT_EQ(get("e/f/g", "user.skimfs.etag"), "\"v1\"");
  EXPECT_EQ(get("d/a", "user.skimfs.cached"), "0");
  EXPECT_EQ(get("d/a", "user.nothing"), std::strerror(ENODATA));
  EXPECT_EQ(get("d/a", "trusted.nothing"), std::strerror(EOPNOTSUPP));
  char small[4];
  EXPECT_EQ(errno_of(::getxattr((mount / "d/a").c_str(), "user.xdg.origin.url", small, 4)), ERANGE);
  EXPECT_EQ(::getxattr((mount / "d/a").c_str(), "user.mime_type", nullptr, 0), 10);
  EXPECT_EQ(origin_.count(), 0u);
}

TEST_F(Metadata, AttributesAreListedForCopies) {
  const Mount mount(manifest());
  char list[1000];
  const auto length = ::listxattr((mount / "d/a").c_str(), list, sizeof list);
  ASSERT_GT(length, 0);
  const std::string names(list, static_cast<std::size_t>(length));
  EXPECT_NE(names.find(std::string("user.xdg.origin.url\0", 20)), names.npos);
  EXPECT_EQ(names.find("user.skimfs."), names.npos);
  EXPECT_EQ(::listxattr((mount / "d/a").c_str(), nullptr, 0), length);
}

TEST_F(Metadata, AllAttributesAreListedOnlyWhenAskedFor) {
  const Mount mount(manifest(), "xattr=all");
  char list[1000];
  const auto length = ::listxattr((mount / "d/a").c_str(), list, sizeof list);
  ASSERT_GT(length, 0);
  const std::string names(list, static_cast<std::size_t>(length));
  EXPECT_NE(names.find(std::string("user.skimfs.url\0", 16)), names.npos);
  EXPECT_NE(names.find(std::string("user.skimfs.cached\0", 19)), names.npos);
  EXPECT_EQ(names.find("user.skimfs.error"), names.npos);  // there was none
}

TEST_F(Metadata, DfAnswersFromTheManifest) {
  const Mount mount(manifest());
  struct statvfs space {};
  ASSERT_EQ(::statvfs(mount.dir().c_str(), &space), 0);
  EXPECT_EQ(space.f_frsize, 4096u);
  EXPECT_GE(space.f_blocks * 4096, 3000000000000u);
  EXPECT_EQ(space.f_bfree, 0u);
  EXPECT_EQ(space.f_bavail, 0u);
  EXPECT_EQ(space.f_namemax, 255u);
  EXPECT_NE(space.f_flag & ST_RDONLY, 0u);
  EXPECT_NE(space.f_flag & ST_NOSUID, 0u);
  EXPECT_NE(space.f_flag & ST_NODEV, 0u);
}

TEST_F(Metadata, TheEndOfAFileIsWhereTheManifestPutsIt) {
  origin_.add("/d/a", 20);
  const Mount mount(manifest());
  EXPECT_EQ(read_at(mount / "d/a", 0, 100).bytes, origin_.body("/d/a").text(0, 20));
  EXPECT_EQ(read_at(mount / "d/a", 15, 100).bytes, origin_.body("/d/a").text(15, 5));
  const auto beyond = read_at(mount / "d/a", 20, 100);
  EXPECT_EQ(beyond.error, 0);
  EXPECT_EQ(beyond.bytes, "");
}

}  // namespace
}  // namespace skimfs::test
