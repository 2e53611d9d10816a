// SPDX-License-Identifier: MIT
//
// See native.h.
#include "fs/manifest/native.h"

#include <algorithm>
#include <utility>

#include "fs/manifest/encoding.h"
#include "fs/manifest/load.h"
#include "fs/manifest/reference.h"
#include "fs/manifest/tokens.h"

namespace skimfs::fs::manifest {
namespace {

[[noreturn]] void fail(std::size_t at, std::string message, Reach reach = Reach::file) {
  throw BadText{at, std::move(message), reach};
}

void warn(std::vector<std::string>& warnings, const Ignored& ignored, std::string_view what) {
  if (ignored.count == 0) return;
  warnings.push_back(std::to_string(ignored.count) + " unknown " + std::string(what) +
                     " ignored, the first, \"" + printable(ignored.first) + "\", on line " +
                     std::to_string(ignored.first_line));
}

}  // namespace

NativeReader::NativeReader(TreeBuilder& builder, std::string base, bool raw_names)
    : builder_(builder), parser_(raw_names) {
  defaults_.scope.base = std::move(base);
}

void NativeReader::line(const Line& line) {
  const std::string_view text = line.text;
  number_ = line.number;
  if (number_ == 1) magic(text);
  const bool is_entry = text.starts_with('/');
  if (is_entry) ++entries_;
  if (line.too_long) {
    fail(kMaxLine, "line longer than 65536 bytes", is_entry ? Reach::entry : Reach::file);
  }
  if (!line.ended) fail(text.size(), "no line feed at the end: the file may be cut short");
  if (end_.line != 0) fail(0, "text after @end, which is the last line", Reach::rest);
  if (is_entry) {
    entry(text);
  } else if (text.starts_with('@')) {
    directive(text);
  } else if (!text.empty() && text.front() != '#') {
    fail(0, "wanted / (an entry), @ (a directive) or # (a comment) here", Reach::entry);
  }
}

void NativeReader::magic(std::string_view text) {
  if (text == kMagic) return;
  if (text.starts_with("#skimfs ")) {
    fail(8, "unknown version of the format: this build reads version 1", Reach::rest);
  }
  fail(0, "not a manifest: the first line is \"" + std::string(kMagic) + "\"", Reach::rest);
}

void NativeReader::entry(std::string_view text) {
  if (sorted_) check_order(text.substr(0, text.find('\t')));
  if (!scope_) scope_ = builder_.intern(defaults_.scope);
  builder_.add(parser_.parse(text, number_, defaults_), *scope_, number_);
}

void NativeReader::check_order(std::string_view path) {
  // Escapes where none is needed would give one path two places in the order.
  for (std::size_t at = path.find('\\'); at < path.size(); at = path.find('\\', at + 2)) {
    if (!path.substr(at + 1).starts_with('x')) continue;
    std::string byte;
    within(path, path.substr(at, 4), [&](auto escape) { unescape(escape, byte); });
    if (byte[0] >= 0x20 && byte[0] < 0x7f) fail(at, "needless escape after @sorted", Reach::entry);
  }
  if (path <= last_path_) fail(0, "out of order after @sorted", Reach::entry);
  last_path_ = path;
}

void NativeReader::directive(std::string_view text) {
  try {
    const bool marked = text.substr(1).starts_with('!');
    const std::size_t begin = marked ? 2 : 1;
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view name = text.substr(begin, std::max(space, begin) - begin);
    const std::string_view value = text.substr(std::min(space + 1, text.size()));
    check_text(text);
    within(text, name, check_name);
    within(text, value, [&](auto) { obey(name, value, marked); });
  } catch (BadText& bad) {
    // What follows a directive that is not understood cannot be trusted.
    bad.reach = Reach::file;
    throw;
  }
}

void NativeReader::obey(std::string_view name, std::string_view value, bool marked) {
  if (name == "base") {
    set_base(value);
  } else if (name == "mirror") {
    add_mirror(value);
  } else if (name == "prefix") {
    set_prefix(value);
  } else if (name == "set") {
    set_defaults(value);
  } else if (name == "sorted") {
    if (!value.empty()) fail(0, "@sorted has no value");
    sorted_ = true;
  } else if (name == "count") {
    state(count_, name, value);
  } else if (name == "bytes") {
    state(bytes_, name, value);
  } else if (name == "end") {
    state(end_, name, value);
  } else if (marked) {
    fail(0, "unknown directive \"@!" + std::string(name) + "\" must be understood");
  } else if (name != "generator" && name != "source") {
    ignored_.note("@" + std::string(name), number_);
  }
}

void NativeReader::set_base(std::string_view value) {
  check_base(value, !defaults_.scope.base.empty());
  defaults_.scope.base = resolve(defaults_.scope.base, value);
  defaults_.scope.mirrors.clear();
  scope_.reset();
}

void NativeReader::add_mirror(std::string_view value) {
  if (defaults_.scope.base.empty()) fail(0, "@mirror without a @base");
  check_base(value, true);
  defaults_.scope.mirrors.push_back(resolve(defaults_.scope.base, value));
  scope_.reset();
}

void NativeReader::set_prefix(std::string_view value) {
  if (sorted_) fail(0, "@prefix after @sorted");
  if (!value.empty() && value.front() != '/') fail(0, "@prefix wants /dir");
  defaults_.prefix.clear();
  defaults_.scope.prefix_depth = 0;
  scope_.reset();
  if (value.size() <= 1) return;  // none
  const EntryParser::Path path = parser_.parse_path(value, defaults_.prefix);
  defaults_.scope.prefix_depth = static_cast<std::uint32_t>(path.depth);
}

void NativeReader::set_defaults(std::string_view text) {
  if (text.empty()) fail(0, "@set wants attr=value");
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view word = text.substr(at, std::min(text.find(' ', at), text.size()) - at);
    at += word.size() + 1;
    within(text, word, [&](auto) { set_default(word); });
  }
  scope_.reset();
}

void NativeReader::set_default(std::string_view word) {
  const bool marked = word.starts_with('!');
  const std::size_t sign = std::min(word.find('='), word.size());
  const std::string_view name = word.substr(marked ? 1 : 0, sign - (marked ? 1 : 0));
  within(word, name, check_name);
  const bool clear = sign == word.size();
  std::string value;
  if (!clear) within(word, word.substr(sign + 1), [&](auto each) { unescape(each, value); });

  within(word, word.substr(std::min(sign + 1, word.size())), [&](auto) {
    if (name == "mode") {
      defaults_.mode.reset();
      if (!clear) defaults_.mode = parse_mode(value) & 0555;
    } else if (name == "auth") {
      if (!clear) check_auth(value);
      defaults_.scope.auth = value;
    } else if (name == "type") {
      if (!clear) check_mime_type(value);
      defaults_.scope.mime_type = value;
    } else if (name == "validator") {
      if (!clear) check_validator(value);
      defaults_.scope.validator = value;
    } else if (marked) {
      fail(0, "unknown attribute \"!" + std::string(name) + "\" must be understood");
    } else if (EntryParser::knows(name)) {
      fail(0, "only mode, auth, type and validator have defaults");
    } else {
      ignored_.note("@set " + std::string(name), number_);
    }
  });
}

void NativeReader::state(Stated& number, std::string_view name, std::string_view value) {
  if (number.line != 0) {
    fail(0,
         "@" + std::string(name) + " is given twice, first on line " + std::to_string(number.line));
  }
  number.value = parse_number(value, name);
  number.line = number_;
}

void NativeReader::check(const Stated& stated, std::string_view name, std::uint64_t found,
                         std::string_view unit) {
  if (stated.line == 0 || stated.value == found) return;
  std::string text = "@" + std::string(name) + " " + std::to_string(stated.value);
  throw Late{stated.line, text,
             text + ", but there are " + std::to_string(found) + " " + std::string(unit)};
}

void NativeReader::end(bool complete) {
  check(end_, "end", entries_, "entries");
  check(count_, "count", entries_, "entries: the file may be cut short");
  if (complete) check(bytes_, "bytes", builder_.bytes(), "bytes in the sizes");
  if (entries_ == 0 && end_.line == 0) {
    throw Late{0, {}, "no entries: the file may be cut short (an empty tree ends in \"@end 0\")"};
  }
}

std::vector<std::string> NativeReader::warnings() const {
  std::vector<std::string> warnings;
  warn(warnings, ignored_, "directives");
  warn(warnings, parser_.ignored(), "attributes");
  if (end_.line == 0) warnings.emplace_back(kNoEnd);
  return warnings;
}

}  // namespace skimfs::fs::manifest
