// SPDX-License-Identifier: MIT
//
// Feeds a fuzz target its corpus, and the neighbourhood of it, without a fuzzer.
//
//   NAME_fuzz FOLDER     every file as it is, cut short, and with single bits flipped
//
// Which cuts and flips is a function of the file alone, so a failure comes back.  The input is
// copied to its exact size first, so that a sanitizer sees a read past its end.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Bounds the time per file; corpora are small and many.
constexpr std::size_t kCuts = 128, kFlips = 512;

using Input = std::vector<std::uint8_t>;

std::size_t inputs = 0;

void run(Input input) {
  input.shrink_to_fit();
  ++inputs;
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

void run_neighbours(const Input& whole) {
  run(whole);
  const std::size_t step = whole.size() / kCuts + 1;
  for (std::size_t length = 0; length < whole.size(); length += step) {
    run(Input(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
  }
  if (whole.empty()) return;
  std::minstd_rand random(static_cast<unsigned>(whole.size()));
  for (std::size_t flip = 0; flip < kFlips; ++flip) {
    Input input = whole;
    const auto place = random();
    input[place % input.size()] ^= static_cast<std::uint8_t>(1u << (random() % 8));
    run(std::move(input));
  }
}

Input read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw std::runtime_error("which corpus? give one folder");
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.insert(entry.path());
  if (files.empty()) throw std::runtime_error(std::string(argv[1]) + ": an empty corpus");
  for (const auto& path : files) {
    std::printf("%s\n", path.filename().c_str());
    std::fflush(stdout);  // the last name printed is the one that crashed
    run_neighbours(read_all(path));
  }
  std::printf("%zu files, %zu inputs\n", files.size(), inputs);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "replay: %s\n", error.what());
  return 1;
}
