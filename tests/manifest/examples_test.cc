// SPDX-License-Identifier: MIT
//
// Every example of the man page is read: what a person copies works.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/manifest/helpers.h"

namespace skimfs::fs::manifest {
namespace {

// One line of roff as the reader of the page sees it.
std::string plain(std::string line) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    for (std::size_t at = line.find(from); at != std::string::npos;
         at = line.find(from, at + to.size())) {
      line.replace(at, from.size(), to);
    }
  };
  replace("\\&", "");
  replace("\\-", "-");
  replace("\\(dq", "\"");
  replace("\\(aq", "'");
  replace("<TAB>", "\t");
  replace("\\e", "\\");
  return line;
}

// The texts between .EX and .EE that are manifests: they begin with the magic line or a URL.
std::vector<std::string> examples(const std::string& page) {
  std::ifstream in(page);
  std::vector<std::string> found;
  std::string line, text;
  bool inside = false;
  while (std::getline(in, line)) {
    if (line == ".EX") {
      inside = true;
      text.clear();
    } else if (line == ".EE") {
      inside = false;
      if (text.starts_with("#skimfs") || text.starts_with("# urls")) found.push_back(text);
    } else if (inside) {
      text += plain(line) + "\n";
    }
  }
  return found;
}

TEST(Examples, OfTheManPageAreAllRead) {
  const std::vector<std::string> texts = examples(SKIMFS_MAN_PAGE);
  EXPECT_GE(texts.size(), 6u);
  for (const std::string& text : texts) {
    ReadOptions options;
    options.raw_names = true;
    const Loaded loaded = load_text(text, "example", options);
    EXPECT_GT(loaded.tree->totals().files, 0u) << text;
    // The only warning an example may have.
    for (const std::string& warning : loaded.warnings)
      EXPECT_EQ(warning.substr(0, 7), "no @end") << text;
  }
}

TEST(Examples, OfASessionWithStandardToolsHold) {
  // Written by: printf '%s\t%s\t-\t-\t=\n' path size | LC_ALL=C sort
  const Loaded loaded = read(
      "@base https://data.example.org/hg38/\n"
      "@mirror https://eu.data.example.org/hg38/\n"
      "@set mode=0440\n"
      "@sorted\n"
      "/chr/chr1.fa.gz\t73532688\t2024-05-01T12:00:00Z\t"
      "sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9\t=\tetag=\"5f3c-"
      "18a\"\t"
      "pieces=sha256:1048576:p/chr1.p256\n"
      "/index/all.fai\t4096\t2024-05-02T00:00:00.25Z\t-\tidx/"
      "all.fai\tdigest=md5:d41d8cd98f00b204e9800998ecf8427e\n"
      "@end 2\n");
  EXPECT_TRUE(loaded.warnings.empty());
  const Row row = find_path(*loaded.tree, "/chr/chr1.fa.gz");
  EXPECT_EQ(loaded.tree->entry(row).size, 73532688u);
  EXPECT_EQ(loaded.tree->content(row).pieces,
            "sha256:1048576:https://data.example.org/hg38/p/chr1.p256");
}

}  // namespace
}  // namespace skimfs::fs::manifest
