// SPDX-License-Identifier: MIT
//
// Random trees, cut files, mutated files.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "fs/manifest/reference.h"
#include "tests/manifest/helpers.h"
#include "tests/manifest/index_bytes.h"

namespace skimfs::fs::manifest {
namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t limit) { return random() % limit; }

// What an entry should turn out to be.
struct Model {
  Kind kind = Kind::file;
  std::optional<std::uint64_t> size;
  std::string target;             // of a link
  std::vector<std::string> urls;  // of a file's only part
};

std::string random_name(Random& random) {
  static const std::vector<std::string> names = {"a",   "b",    "c",  "A",   "a b",      "a.b",
                                                 "a-b", "a\tb", "\\", "%41", "\xc3\xa9", "...",
                                                 "-",   "=",    "@x", "#x",  "\x7f",     "\n"};
  std::string name = names[below(random, names.size())];
  if (below(random, 4) == 0) name += std::to_string(below(random, 1000));
  return name;
}

std::string escaped(const std::string& path) {
  std::string out;
  for (const char each : path) {
    switch (each) {
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\x7f':
        out += "\\x7f";
        break;
      default:
        out += each;
    }
  }
  return out;
}

std::map<std::string, Model> random_model(Random& random) {
  std::map<std::string, Model> model;
  model["/"].kind = Kind::directory;
  std::vector<std::string> directories = {""};
  const std::size_t count = 1 + below(random, 60);
  for (std::size_t each = 0; each < count; ++each) {
    const std::string parent = directories[below(random, directories.size())];
    const std::string path = parent + "/" + random_name(random);
    if (model.contains(path)) continue;
    Model& entry = model[path];
    switch (below(random, 5)) {
      case 0:
        entry.kind = Kind::directory;
        directories.push_back(path);
        break;
      case 1:
        entry.kind = Kind::link;
        entry.target = "x" + std::to_string(each);
        entry.size = entry.target.size();
        break;
      case 2:
        entry.size = 1 + below(random, 1000);
        entry.urls = {append_path("https://base.example/d/", path),
                      append_path("https://mirror.example/", path)};
        break;
      case 3:
        entry.urls = {"https://other.example/" + std::to_string(each) + "?q=/"};
        break;
      default:
        entry.size = 1 + below(random, 1000);
        entry.urls = {"https://base.example/d/r/" + std::to_string(each),
                      "https://mirror.example/r/" + std::to_string(each)};
    }
  }
  return model;
}

std::string line_of(const std::string& path, const Model& entry, bool equals) {
  if (entry.kind == Kind::directory) return escaped(path) + "/\t-\t-\t-\t-\n";
  if (entry.kind == Kind::link) return escaped(path) + "\t-\t-\t-\t-\t!link=" + entry.target + "\n";
  std::string where = entry.urls.front();
  if (entry.urls.size() == 2)
    where = equals ? "=" : where.substr(std::string("https://base.example/d/").size());
  return escaped(path) + "\t" + (entry.size ? std::to_string(*entry.size) : "-") + "\t-\t-\t" +
         where + "\n";
}

void expect_equal(const Tree& tree, const std::map<std::string, Model>& model) {
  ASSERT_EQ(tree.rows(), model.size());
  std::size_t listed = 0;
  for (Row row = 0; row < tree.rows(); ++row) {
    const std::string path = tree.path(row);
    ASSERT_TRUE(model.contains(path)) << path;
    const Model& wanted = model.at(path);
    const Entry found = tree.entry(row);
    EXPECT_EQ(found.kind, wanted.kind) << path;
    EXPECT_EQ(found.size, wanted.size) << path;
    EXPECT_EQ(tree.link_target(row), wanted.target) << path;
    if (row != kRoot) {
      EXPECT_EQ(tree.find(found.parent, found.name), row) << path;
    }
    const auto children = tree.children(row);
    EXPECT_TRUE(std::is_sorted(children.begin(), children.end())) << path;
    for (const Row child : children) EXPECT_EQ(tree.entry(child).parent, row) << path;
    listed += children.size();
    if (found.kind == Kind::file) {
      const Content content = tree.content(row);
      ASSERT_EQ(content.parts.size(), 1u) << path;
      EXPECT_EQ(content.parts[0].urls, wanted.urls) << path;
    }
  }
  EXPECT_EQ(listed + 1, tree.rows());
}

// The lines of a manifest, in the order of their paths or in none.
std::string random_text(Random& random, const std::map<std::string, Model>& model) {
  std::vector<std::string> lines;
  for (const auto& [path, entry] : model) {
    // A directory that holds something may be left to be implied.
    const auto inside = model.upper_bound(path + "/");
    const bool implied = entry.kind == Kind::directory && inside != model.end() &&
                         inside->first.starts_with(path + "/");
    if (path == "/" || (implied && below(random, 2) == 0)) continue;
    lines.push_back(line_of(
        path, entry,
        entry.urls.size() == 2 && entry.urls[0] == append_path("https://base.example/d/", path)));
  }
  if (below(random, 2) == 0) std::shuffle(lines.begin(), lines.end(), random);
  std::string text = "@base https://base.example/d/\n@mirror https://mirror.example/\n@count " +
                     std::to_string(lines.size()) + "\n";
  for (const std::string& line : lines) text += line;
  return text + "@end " + std::to_string(lines.size()) + "\n";
}

TEST(ManifestProperty, ATreeWrittenDownAndReadAgainIsTheSame) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto model = random_model(random);
    expect_equal(*read(random_text(random, model)).tree, model);
  }
}

TEST(ManifestProperty, ATreeCompiledAndMappedIsTheSame) {
  const Scratch scratch;
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto model = random_model(random);
    const std::string text = random_text(random, model);
    const Memory file(index_of(text, {}, seed % 2 == 0 ? scratch.folder() : ""));
    const Tree mapped = tree_of_index(file);
    expect_same(*read(text).tree, mapped);
    expect_equal(mapped, model);
  }
}

// Several kinds of entry, a count in front, an end behind.
const std::string kWhole =
    "#skimfs 1\n@count 12\n@base https://h.example/\n@mirror https://m.example/\n"
    "/a\t1\t-\t-\t=\n/"
    "b\t2\t2024-05-01T12:00:00Z\tmd5:00112233445566778899aabbccddeeff\tx\tetag=\"e\"\n"
    "/c/\t-\t-\t-\t-\n/d\t-\t-\t-\t-\t!link=a\n/e\t3\t-\t-\t-\t!data=base64:Zm9v\n"
    "/f\t5\t-\t-\tx\t!off=5/99\n/g\t6\t-\t-\t-\t!part=0+3 x\t!part=base64:Zm9v\n"
    "/h\t-\t-\t-\thttps://o.example/x?y=z\n/i/j/k\t7\t-\t-\tx\tmirror=https://q.example/ \"r\"\n"
    "/l\t8\t-\t-\tx\ttype=a/b\tvalidator=time\n/m\\x7f\t9\t-\t-\tx\tpieces=sha256:65536:p\n"
    "# a remark\n/n\t10\t-\t-\tx\tmode=0555\n@end 12\n";

TEST(ManifestProperty, AFileWithCountAndEndNeverLoadsShort) {
  const std::uint64_t files = load_text(kWhole, "m", {}).tree->totals().files;
  for (const OnBadEntry on_bad_entry : {OnBadEntry::fail, OnBadEntry::skip}) {
    ReadOptions options;
    options.on_bad_entry = on_bad_entry;
    for (std::size_t length = 0; length < kWhole.size(); ++length) {
      try {
        const Loaded loaded = load_text(kWhole.substr(0, length), "m", options);
        // Only @end itself is missing: that costs no entry, and a warning tells.
        EXPECT_EQ(loaded.tree->totals().files, files) << length;
        EXPECT_FALSE(loaded.warnings.empty()) << length;
      } catch (const ManifestError&) {
        continue;
      }
    }
  }
}

TEST(ManifestProperty, AFileWithEndAloneNeverLoadsCutShortInSilence) {
  std::string text = kWhole;
  text.erase(text.find("@count"), std::string("@count 12\n").size());
  for (std::size_t length = 0; length < text.size(); ++length) {
    try {
      EXPECT_FALSE(load_text(text.substr(0, length), "m", {}).warnings.empty()) << length;
    } catch (const ManifestError&) {
      continue;
    }
  }
}

std::string mutate(std::string text, Random& random) {
  static const std::vector<std::string> pieces = {
      "\t", "\n",      "/",  "\\", "\\x2f", "..",
      "@",  "!",       "=",  "-",  "\xff",  "99999999999999999999",
      "%",  "http://", "\r", " ",  "[",     std::string(1, '\0')};
  for (std::size_t edits = 1 + below(random, 4); edits > 0; --edits) {
    const std::size_t at = below(random, text.size());
    switch (below(random, 4)) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, 1 + below(random, 20));
        break;
      case 2:
        text.insert(at, pieces[below(random, pieces.size())]);
        break;
      default:
        text.insert(at, text.substr(below(random, text.size()), below(random, 60)));
    }
    if (text.empty()) text = "x";
  }
  return text;
}

TEST(ManifestProperty, MutatedFilesAreReadOrRefusedAndTreesStayWhole) {
  Random random(5);
  std::size_t accepted = 0;
  for (int round = 0; round < 10000; ++round) {
    const std::string text = mutate(kWhole, random);
    ReadOptions options;
    options.raw_names = true;
    options.report = [](const ManifestError&) {};
    const Loaded loaded = load_text(text, "m", options);
    accepted += loaded.errors == 0;
    for (Row row = 1; row < loaded.tree->rows(); ++row) {
      const Entry entry = loaded.tree->entry(row);
      ASSERT_EQ(loaded.tree->find(entry.parent, entry.name), row) << text;
      ASSERT_LT(entry.parent, row) << text;
      loaded.tree->content(row);
    }
  }
  EXPECT_GT(accepted, 50u);
}

// Seconds of processor time to refuse or read a file of n hostile lines.
double seconds_for(std::size_t lines, const std::function<std::string(std::size_t)>& line) {
  std::string text = "#skimfs 1\n/first\t1\t-\t-\thttp://h/x\n";
  for (std::size_t each = 0; each < lines; ++each) text += line(each);
  ReadOptions options;
  options.on_bad_entry = OnBadEntry::skip;
  const std::clock_t begin = std::clock();
  load_text(text, "m", options);
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(ManifestProperty, HostileListsTakeLinearTime) {
  const auto check = [](const std::function<std::string(std::size_t)>& line) {
    seconds_for(1000, line);  // warm
    const double small = seconds_for(2000, line), large = seconds_for(32000, line);
    // 16 times the lines; quadratic work would take 256 times as long.
    EXPECT_LT(large, 100 * small + 0.5);
  };
  check([](std::size_t) { return "/same\t1\t-\t-\thttp://h/x\n"; });
  check([](std::size_t each) { return "/" + std::to_string(each) + "\tbad\t-\t-\thttp://h/x\n"; });
  check([](std::size_t each) { return "@base http://h" + std::to_string(each) + "/\n"; });
  check([](std::size_t each) {
    return "/" + std::to_string(each % 7) + "/" + std::to_string(each) +
           "/x\t1\t-\t-\thttp://h/x\n";
  });
}

}  // namespace
}  // namespace skimfs::fs::manifest
