// SPDX-License-Identifier: MIT
//
// See read_text.h.
#include "fs/manifest/read_text.h"

#include <algorithm>
#include <utility>

#include "fs/manifest/line_reader.h"
#include "fs/manifest/lists.h"
#include "fs/manifest/native.h"
#include "fs/manifest/reference.h"
#include "fs/manifest/tree_builder.h"

namespace skimfs::fs::manifest {
namespace {

constexpr std::size_t kExamples = 20;

bool is_url(std::string_view text) {
  const auto begins = [&](std::string_view scheme) {
    return text.size() > scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), text.begin(), [](char wanted, char found) {
             return (found | 0x20) == wanted || found == wanted;
           });
  };
  return begins("http://") || begins("https://");
}

// Why this first line is none of ours.
std::string explain(std::string_view text) {
  if (text.starts_with("\x1f\x8b") || text.starts_with("\x28\xb5\x2f\xfd") ||
      text.starts_with("\xfd"
                       "7zXZ") ||
      text.starts_with("BZh")) {
    return "compressed: pipe it through zcat, zstdcat, xzcat or bzcat, with - as the file";
  }
  if (text.starts_with("\xef\xbb\xbf"))
    return "begins with a byte order mark: remove these 3 bytes";
  if (is_url(text)) return "a list of URLs has nothing else on a line";
  if (text.starts_with('<')) return "XML or HTML is no manifest";
  return "neither a manifest, whose first line is \"" + std::string(kMagic) +
         "\", nor a list of http URLs";
}

// One pass over one file.
class Loading {
 public:
  Loading(std::string_view name, const ReadOptions& options, const std::string& spool)
      : name_(name), options_(options), builder_(spool) {
    check_options();
  }

  ReadText run(Source source) {
    LineReader lines(std::move(source));
    bool judged = true;
    std::uint64_t carriage_returns = 0;
    while (const Line* line = lines.next()) {
      carriage_returns += line->had_cr;
      if (!read(*line)) {
        judged = false;
        break;
      }
      any_ = true;
    }
    if (judged) end();
    if (carriage_returns > 0) {
      loaded_.warnings.push_back(std::to_string(carriage_returns) +
                                 " lines end in CR LF: the CR is dropped");
    }
    if (reader_) {
      for (std::string& text : reader_->warnings()) loaded_.warnings.push_back(std::move(text));
    }
    return {std::move(loaded_), builder_.finish()};
  }

 private:
  void check_options() {
    const std::string& format = options_.format;
    if (!format.empty() && format != "skimfs" && format != "urls") {
      throw ManifestError(name_, "format=" + format + " is not built in: wanted skimfs or urls");
    }
    if (options_.base.empty()) return;
    try {
      check_base(options_.base, false);
    } catch (const BadText& bad) {
      throw ManifestError(name_, "base=: " + bad.message);
    }
  }

  // The reader for a file with this line before all others that are not blank or comments.
  void detect(const Line& line) {
    std::string format = options_.format;
    if (format.empty()) {
      if (line.number == 1 && line.text.starts_with("#skimfs")) {
        format = "skimfs";
      } else if (line.text.empty() || line.text.front() == '#') {
        return;
      } else if (is_url(line.text) && line.text.find_first_of("\t ") == std::string_view::npos) {
        format = "urls";
      } else {
        throw BadText{0, explain(line.text), Reach::rest};
      }
    }
    if (format == "skimfs" && options_.strip > 0) {
      throw ManifestError(name_, "strip= is for lists of URLs, this is a manifest");
    }
    if (format == "urls") {
      reader_ = std::make_unique<UrlListReader>(builder_, options_.strip, options_.raw_names);
    } else {
      std::string base = options_.base.empty() ? "" : resolve({}, options_.base);
      reader_ = std::make_unique<NativeReader>(builder_, std::move(base), options_.raw_names);
    }
    loaded_.format = format;
  }

  // False: the rest of the file cannot be judged.
  bool read(const Line& line) {
    try {
      if (!reader_) detect(line);
      if (reader_) reader_->line(line);
      return true;
    } catch (const BadText& bad) {
      refuse(bad.reach, [&] { return ManifestError(name_, line.number, bad, line.text); });
      return bad.reach != Reach::rest;
    }
  }

  void end() {
    std::string fault;
    if (!any_) {
      fault = "empty: wanted a manifest, whose first line is \"" + std::string(kMagic) +
              "\", or a list of http URLs";
    } else if (!reader_) {
      fault = "nothing but comments: wanted a manifest or a list of http URLs";
    }
    if (!fault.empty()) return refuse(Reach::rest, [&] { return ManifestError(name_, fault); });
    try {
      reader_->end(loaded_.errors == 0);
    } catch (const Late& late) {
      refuse(Reach::file, [&] {
        if (late.line == 0) return ManifestError(name_, late.message);
        return ManifestError(name_, late.line, BadText{0, late.message}, late.text);
      });
    }
  }

  // `make` composes the error: millions may be skipped, and only the first are shown.
  template <class Make>
  void refuse(Reach reach, Make make) {
    const bool skip = options_.on_bad_entry == OnBadEntry::skip && reach == Reach::entry;
    if (!options_.report && !skip) throw make();
    ++loaded_.errors;
    if (!options_.report && loaded_.examples.size() >= kExamples) return;
    const ManifestError error = make();
    if (loaded_.examples.size() < kExamples) loaded_.examples.emplace_back(error.what());
    if (options_.report) options_.report(error);
  }

  const std::string name_;
  const ReadOptions& options_;
  TreeBuilder builder_;
  std::unique_ptr<Reader> reader_;
  Loaded loaded_;
  bool any_ = false;
};

}  // namespace

ReadText read_text(Source source, std::string_view name, const ReadOptions& options,
                   const std::string& spool) {
  return Loading(name, options, spool).run(std::move(source));
}

Loaded with_tree(ReadText read) {
  read.loaded.tree = std::make_shared<const Tree>(std::move(read.tree));
  return std::move(read.loaded);
}

}  // namespace skimfs::fs::manifest
