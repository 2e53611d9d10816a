// SPDX-License-Identifier: MIT
//
// The work is load() and compile(); here is only how their findings are told, as text or JSON.
#include "tools/manifest_cmd.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>

#include "fs/manifest/compile.h"

namespace skimfs::tools {
namespace {

using fs::manifest::Loaded;
using fs::manifest::ManifestError;
using fs::manifest::ReadOptions;
using fs::manifest::Totals;

// How one file's findings are told.
class Teller {
 public:
  virtual ~Teller() = default;
  virtual void error(const ManifestError& error) = 0;
  // `errors`: told before.  `loaded` is null if the file could not be read.
  virtual void summary(const Loaded* loaded, std::uint64_t errors) = 0;
};

std::string human(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be shown as 1024.0
  for (; value >= 1023.95 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string describe(const Totals& totals) {
  std::string text = counted(totals.files, "file", "files");
  text += ", " + counted(totals.directories, "directory", "directories");
  text += ", " + counted(totals.links, "link", "links");
  text += ", " + human(totals.bytes);
  if (totals.unknown_sizes > 0) text += fmt::format(", {} of unknown size", totals.unknown_sizes);
  return text;
}

class TextTeller : public Teller {
 public:
  TextTeller(std::string_view file, std::ostream& out, std::ostream& err)
      : file_(fs::manifest::printable(file)), out_(out), err_(err) {}

  void error(const ManifestError& error) override { err_ << error.what() << '\n'; }

  void summary(const Loaded* loaded, std::uint64_t errors) override {
    std::string text = loaded != nullptr ? describe(loaded->tree->totals()) : "not read";
    if (errors > 0) text += ", " + counted(errors, "error", "errors");
    if (loaded != nullptr) {
      for (const std::string& warning : loaded->warnings)
        err_ << file_ << ": warning: " << warning << '\n';
    }
    out_ << file_ << ": " << text << '\n';
  }

 private:
  const std::string file_;
  std::ostream& out_;
  std::ostream& err_;
};

class JsonTeller : public Teller {
 public:
  JsonTeller(std::string_view file, std::ostream& out)
      : file_(fs::manifest::printable(file)), out_(out) {}

  void error(const ManifestError& error) override {
    nlohmann::ordered_json object = begin("error");
    if (error.line > 0) {
      object["line"] = error.line;
      object["column"] = error.column;
    }
    object["message"] = error.message;
    out_ << object.dump() << '\n';
  }

  void summary(const Loaded* loaded, std::uint64_t errors) override {
    if (loaded != nullptr) {
      for (const std::string& text : loaded->warnings) {
        nlohmann::ordered_json object = begin("warning");
        object["message"] = text;
        out_ << object.dump() << '\n';
      }
    }
    nlohmann::ordered_json object = begin("summary");
    object["errors"] = errors;
    if (loaded != nullptr) {
      const Totals& totals = loaded->tree->totals();
      object["format"] = loaded->format;
      object["files"] = totals.files;
      object["directories"] = totals.directories;
      object["links"] = totals.links;
      object["bytes"] = totals.bytes;
      object["unknown_sizes"] = totals.unknown_sizes;
    }
    out_ << object.dump() << '\n';
  }

 private:
  nlohmann::ordered_json begin(std::string_view event) const {
    return {{"schema", 1}, {"event", event}, {"file", file_}};
  }

  const std::string file_;
  std::ostream& out_;
};

// How many errors the file has.
std::uint64_t check_file(const std::string& file, ReadOptions read, Teller& teller) {
  std::uint64_t errors = 0;
  read.report = [&](const ManifestError& error) {
    ++errors;
    teller.error(error);
  };
  try {
    const Loaded loaded = fs::manifest::load(file, read);
    teller.summary(&loaded, errors);
  } catch (const ManifestError& error) {
    ++errors;
    teller.error(error);
    teller.summary(nullptr, errors);
  }
  return errors;
}

}  // namespace

int manifest_check(const ManifestCheck& check, std::ostream& out, std::ostream& err) {
  bool good = true;
  for (const std::string& file : check.files) {
    const std::string_view name = file == "-" ? "<stdin>" : std::string_view(file);
    std::unique_ptr<Teller> teller;
    if (check.json) {
      teller = std::make_unique<JsonTeller>(name, out);
    } else {
      teller = std::make_unique<TextTeller>(name, out, err);
    }
    if (check_file(file, check.read, *teller) > 0) good = false;
  }
  out.flush();
  return good ? 0 : 1;
}

int manifest_build(const ManifestBuild& build, std::ostream& out, std::ostream& err) {
  try {
    const Loaded loaded = fs::manifest::compile(build.from, build.to, build.read);
    for (const std::string& text : loaded.examples) err << text << '\n';
    TextTeller(build.to, out, err).summary(&loaded, loaded.errors);
    out.flush();
    return loaded.errors == 0 ? 0 : 1;
  } catch (const ManifestError& error) {
    err << error.what() << '\n';
    return 1;
  }
}

}  // namespace skimfs::tools
