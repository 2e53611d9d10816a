// SPDX-License-Identifier: MIT
//
// Prints how long a million entries take to become a tree and an index, how long the index takes to
// open and to walk, and what each costs in resident memory.
//
// manifest_bench [ENTRIES [FOLDER [KIND]]]: a person reads it; nothing is judged here.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "fs/manifest/compile.h"
#include "fs/manifest/load.h"

namespace {

using namespace skimfs::fs::manifest;

std::string digits_of(std::mt19937_64& random, std::size_t digits) {
  std::string text;
  while (text.size() < digits) {
    char word[17];
    std::snprintf(word, sizeof word, "%016lx", static_cast<unsigned long>(random()));
    text += word;
  }
  text.resize(digits);
  return text;
}

// `kind`: what the digest column, the reference and the attributes hold.
std::string line(std::uint64_t number, const std::string& kind, std::mt19937_64& random) {
  char path[64];
  std::snprintf(path, sizeof path, "/photos/%03lu/%02lu/image-%07lu.jpg",
                static_cast<unsigned long>(number / 10000),
                static_cast<unsigned long>(number / 100 % 100), static_cast<unsigned long>(number));
  std::string text = path;
  text += "\t" + std::to_string(random() % 10'000'000) + "\t2024-05-01T12:00:00Z\t";
  text += kind == "sha256" ? "sha256:" + digits_of(random, 64) : "-";
  text += kind == "same" || kind == "sha256" ? "\t="
                                             : std::string("\thttps://data.example.org/set") + path;
  if (kind == "etag") text += "\tetag=\"" + digits_of(random, 32) + "\"";
  return text + "\n";
}

long resident_bytes() {
  long size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

rusage usage() {
  rusage now{};
  getrusage(RUSAGE_SELF, &now);
  return now;
}

double cpu_seconds() {
  const rusage now = usage();
  return static_cast<double>(now.ru_utime.tv_sec + now.ru_stime.tv_sec) +
         static_cast<double>(now.ru_utime.tv_usec + now.ru_stime.tv_usec) / 1e6;
}

// In a process of its own, so that the peak is this step's.
template <class Step>
void measure(const std::string& title, std::uint64_t entries, Step step) {
  std::fflush(stdout);
  if (fork() != 0) {
    int status = 0;
    wait(&status);
    return;
  }
  const long before = resident_bytes();
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  const Loaded loaded = step();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double mib = 1024 * 1024;
  std::printf("%-24s %8.3f s  %7.3f s CPU  %7.1f MiB resident  %7.1f MiB peak  %6.1f B an entry\n",
              title.c_str(), took.count(), cpu_seconds() - cpu,
              static_cast<double>(resident_bytes() - before) / mib,
              static_cast<double>(usage().ru_maxrss * 1024 - before) / mib,
              static_cast<double>(loaded.tree->totals().memory) / static_cast<double>(entries));
  std::fflush(stdout);
  _exit(loaded.tree->intact() ? 0 : 1);
}

void write_text(const std::string& file, std::uint64_t entries, const std::string& kind,
                bool shuffled) {
  std::mt19937_64 random(7);
  std::vector<std::uint32_t> order(entries);
  std::iota(order.begin(), order.end(), 0);
  if (shuffled) std::shuffle(order.begin(), order.end(), random);
  std::ofstream out(file);
  out << "#skimfs 1\n@base https://data.example.org/set/\n";
  for (const std::uint32_t number : order) out << line(number, kind, random);
  out << "@end " << entries << "\n";
}

// Every entry in order, as find(1) asks for them.
Loaded walk(Loaded loaded) {
  const Tree& tree = *loaded.tree;
  std::uint64_t bytes = 0;
  for (Row row = 0; row < tree.rows(); ++row) {
    if (tree.entry(row).kind != Kind::directory) continue;
    for (const Row child : tree.children(row)) bytes += tree.entry(child).size.value_or(0);
  }
  if (bytes != tree.totals().bytes)
    std::printf("wrong sizes: %lu\n", static_cast<unsigned long>(bytes));
  return loaded;
}

// A hundred thousand names anywhere.
Loaded look_up(Loaded loaded) {
  const Tree& tree = *loaded.tree;
  std::mt19937_64 random(5);
  for (int each = 0; each < 100'000; ++each) {
    const auto entry = tree.entry(static_cast<Row>(1 + random() % (tree.rows() - 1)));
    const std::string name(entry.name);
    if (tree.find(entry.parent, name) != entry.row) std::printf("not found: %s\n", name.c_str());
  }
  return loaded;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t entries = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  std::vector<std::string> kinds = {"same", "sha256", "url", "etag"};
  if (argc > 3) kinds = {argv[3]};
  const std::string folder = (argc > 2 ? argv[2] : "/tmp") + std::string("/manifest_bench.XXXXXX");
  std::string made = folder;
  if (mkdtemp(made.data()) == nullptr) return 1;
  const std::string text = made + "/m.skimfs", index = made + "/m.skimx";
  for (const std::string& kind : kinds) {
    for (const bool shuffled : {false, true}) {
      write_text(text, entries, kind, shuffled);
      const std::string title = kind + (shuffled ? " shuffled" : " sorted");
      measure(title + ": text", entries, [&] { return load(text, {}); });
      measure(title + ": build", entries, [&] { return compile(text, index, {}); });
      measure(title + ": index", entries, [&] { return load(index, {}); });
      measure(title + ": walk", entries, [&] { return walk(load(index, {})); });
      measure(title + ": look up", entries, [&] { return look_up(load(index, {})); });
      unlink(index.c_str());
    }
  }
  unlink(text.c_str());
  rmdir(made.c_str());
}
