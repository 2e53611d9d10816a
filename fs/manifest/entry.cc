// SPDX-License-Identifier: MIT
//
// Columns first, then attributes; what only the whole line can tell comes last.
#include "fs/manifest/entry.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "fs/manifest/encoding.h"
#include "fs/manifest/reference.h"
#include "fs/manifest/tokens.h"

namespace skimfs::fs::manifest {

struct EntryParser::Known {
  std::string_view name;
  unsigned forms;  // bits of Form that may have it
  void (EntryParser::*add)(const Attribute&);
  bool marked = false;  // must be written with "!"
  bool repeatable = false;
};

void Ignored::note(std::string_view name, std::uint64_t line) {
  if (count++ > 0) return;
  first = name;
  first_line = line;
}

EntryParser::EntryParser(bool raw_names) : raw_names_(raw_names) { values_.reserve(kMaxLine); }

const EntryParser::Known* EntryParser::find_known(std::string_view name) noexcept {
  constexpr unsigned remote = 1, parts = 2, data = 4, link = 8, directory = 16;
  static constexpr Known table[] = {
      {"etag", remote, &EntryParser::add_etag},
      {"digest", remote | parts | data, &EntryParser::add_digest, false, true},
      {"mirror", remote, &EntryParser::add_mirror, false, true},
      {"type", remote | parts | data, &EntryParser::add_type},
      {"mode", remote | parts | data | directory, &EntryParser::add_mode},
      {"pieces", remote | parts, &EntryParser::add_pieces},
      {"validator", remote | parts, &EntryParser::add_validator},
      {"auth", remote | parts, &EntryParser::add_auth},
      {"off", remote, &EntryParser::add_window, true},
      {"part", parts, &EntryParser::add_part, true, true},
      {"link", link, &EntryParser::add_link, true},
      {"data", data, &EntryParser::add_data, true},
  };
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [&](const Known& each) { return each.name == name; });
  return found == std::end(table) ? nullptr : found;
}

std::string EntryParser::describe(Form form) {
  switch (form) {
    case Form::remote:
      return "a remote file";
    case Form::parts:
      return "a file of parts";
    case Form::data:
      return "a file of inline data";
    case Form::link:
      return "a link";
    case Form::directory:
      return "a directory";
  }
  return {};
}

void EntryParser::fail(std::string_view piece, std::string message) const {
  throw BadText{static_cast<std::size_t>(piece.data() - line_.data()), std::move(message)};
}

template <class Parse>
auto EntryParser::in(std::string_view piece, Parse word) const {
  return within(line_, piece, word);
}

// An offset in an unescaped value means nothing in the line: the value's beginning must do.
template <class Parse>
auto EntryParser::in(const Attribute& attribute, Parse word) const {
  return within(line_, attribute.written, [&](auto) {
    try {
      return word(attribute.value);
    } catch (BadText& bad) {
      if (attribute.value.data() != attribute.written.data()) bad.at = 0;
      throw;
    }
  });
}

void EntryParser::put(Tag tag, std::string_view value) { put_field(fields_, tag, value); }

Draft EntryParser::parse(std::string_view line, std::uint64_t number, const Defaults& defaults) {
  defaults_ = &defaults;
  line_ = line;
  number_ = number;
  attributes_.clear();
  values_.clear();
  fields_.clear();
  draft_ = {};
  algorithms_ = 0;
  parts_ = 0;
  part_bytes_ = 0;

  split_columns();
  full_path_ = defaults.prefix;
  const Path path = in(path_, [&](auto text) { return parse_path(text, full_path_); });
  depth_ = path.depth + defaults.scope.prefix_depth;
  if (full_path_.size() > kMaxPath) fail(path_, "path longer than 4095 bytes");
  if (depth_ > kMaxDepth) fail(path_, "path deeper than 128 names");
  draft_.path = full_path_;
  if (size_ != "-") draft_.size = in(size_, [](auto text) { return parse_number(text, "size"); });
  if (mtime_ != "-") draft_.mtime = in(mtime_, parse_time);

  read_attributes();
  form_ = form(path.directory);
  check_columns();
  draft_.mode = defaults.mode.value_or(0444);
  if (form_ == Form::directory) {
    draft_.kind = Kind::directory;
    draft_.mode = 0555;
  } else if (form_ == Form::link) {
    draft_.kind = Kind::link;
    draft_.mode = 0777;
  }

  if (form_ == Form::remote) add_where();
  if (digest_ != "-") add_packed_digest(in(digest_, parse_digest), digest_);
  for (const Attribute& each : attributes_) {
    if ((each.known->forms & static_cast<unsigned>(form_)) == 0) {
      fail(each.written, std::string(each.known->name) + "= is not for " + describe(form_));
    }
    (this->*each.known->add)(each);
  }
  check_whole();
  draft_.fields = fields_;
  return draft_;
}

void EntryParser::split_columns() {
  std::string_view* const columns[] = {&path_, &size_, &mtime_, &digest_, &where_};
  std::size_t begin = 0;
  for (std::size_t each = 0; each < std::size(columns); ++each) {
    if (begin > line_.size()) {
      fail(line_.substr(line_.size()),
           "wanted five columns (path size mtime digest where) with a TAB "
           "between, found " +
               std::to_string(each));
    }
    const std::size_t tab = std::min(line_.find('\t', begin), line_.size());
    *columns[each] = line_.substr(begin, tab - begin);
    begin = tab + 1;
  }
  rest_ = line_.substr(begin - 1);
}

EntryParser::Path EntryParser::parse_path(std::string_view text, std::string& out) const {
  check_text(text);
  Path path;
  path.directory = text.size() > 1 && text.ends_with('/');
  const std::string_view names = path.directory ? text.substr(0, text.size() - 1) : text;
  for (std::size_t begin = 1; begin <= names.size();) {
    const std::size_t end = std::min(names.find('/', begin), names.size());
    const std::string_view written = names.substr(begin, end - begin);
    out += '/';
    const std::size_t from = out.size();
    within(text, written, [&](auto) {
      if (written.find('\\') == std::string_view::npos) {
        out += written;
        check_component(written, raw_names_);
        return;
      }
      unescape(written, out);
      try {
        check_component(std::string_view(out).substr(from), raw_names_);
      } catch (BadText& bad) {
        bad.at = 0;  // an offset behind an escape means nothing in the line
        throw;
      }
    });
    ++path.depth;
    begin = end + 1;
  }
  return path;
}

void EntryParser::read_attributes() {
  std::string_view rest = rest_;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view text = rest.substr(0, rest.find('\t'));
    read_attribute(text);
    rest.remove_prefix(text.size());
  }
}

void EntryParser::read_attribute(std::string_view text) {
  if (text.empty()) fail(text, "empty attribute: stray TAB");
  const std::size_t sign = text.find('=');
  if (sign == std::string_view::npos) fail(text, "bad attribute: wanted name=value");
  const bool marked = text.front() == '!';
  const std::string_view name = text.substr(marked ? 1 : 0, sign - (marked ? 1 : 0));
  const std::string_view written = text.substr(sign + 1);
  in(name, check_name);
  in(written, check_text);

  const Known* const known = find_known(name);
  if (known == nullptr) {
    if (marked) fail(text, "unknown attribute \"!" + std::string(name) + "\" must be understood");
    ignored_.note(name, number_);
    return;
  }
  if (known->marked && !marked) fail(text, "must be written !" + std::string(name) + "=");
  if (!known->repeatable && find(name) != nullptr)
    fail(text, std::string(name) + "= is given twice");

  Attribute attribute{known, written, written};
  if (written.find('\\') != std::string_view::npos) {
    const std::size_t from = values_.size();
    in(written, [&](auto value) { unescape(value, values_); });
    attribute.value = std::string_view(values_).substr(from);
  }
  attributes_.push_back(attribute);
}

const EntryParser::Attribute* EntryParser::find(std::string_view name) const noexcept {
  for (const Attribute& each : attributes_) {
    if (each.known->name == name) return &each;
  }
  return nullptr;
}

EntryParser::Form EntryParser::form(bool directory) const {
  Form form = directory ? Form::directory : Form::remote;
  const Attribute* seen = nullptr;
  for (const Attribute& each : attributes_) {
    if (!each.known->marked) continue;
    if (seen != nullptr && seen->known != each.known) {
      fail(each.written, "only one of !off, !part, !link and !data can be");
    }
    seen = &each;
    if (!directory) form = static_cast<Form>(each.known->forms);
  }
  return form;
}

// What the columns may say of this kind of entry.
void EntryParser::check_columns() const {
  if (form_ == Form::remote) {
    if (where_ == "-") fail(where_, "no content: wanted a URL, = or one of !part, !link, !data");
    if (where_.empty()) fail(where_, "empty column: wanted a URL, = or -");
    return;
  }
  if (where_ != "-") fail(where_, describe(form_) + " has - in this column");
  if (form_ == Form::parts && size_ == "-") fail(size_, "!part needs a size");
  if (form_ == Form::directory && size_ != "-") fail(size_, describe(form_) + " has no size");
  const bool bytes = form_ == Form::parts || form_ == Form::data;
  if (!bytes && digest_ != "-") fail(digest_, describe(form_) + " has no digest");
}

void EntryParser::add_where() {
  const bool has_base = !defaults_->scope.base.empty();
  if (where_ == "=") {
    if (!has_base) fail(where_, "= without a @base");
    put(Tag::same_path, {});
    return;
  }
  in(where_, [&](auto text) { check_reference(text, has_base); });
  draft_.where = where_.substr(0, where_.find('#'));
}

void EntryParser::add_etag(const Attribute& attribute) {
  in(attribute, check_etag);
  put(Tag::etag, attribute.value);
}

void EntryParser::add_digest(const Attribute& attribute) {
  add_packed_digest(in(attribute, parse_digest), attribute.written);
}

void EntryParser::add_packed_digest(const std::string& packed, std::string_view piece) {
  const unsigned bit = 1u << packed.front();
  if ((algorithms_ & bit) != 0) fail(piece, "a second digest of the same algorithm");
  algorithms_ |= bit;
  put(Tag::digest, packed);
}

void EntryParser::add_mirror(const Attribute& attribute) {
  in(attribute, [&](auto text) {
    check_reference(parse_located(text).reference, !defaults_->scope.base.empty());
  });
  put(Tag::mirror, attribute.value);
}

void EntryParser::add_type(const Attribute& attribute) {
  in(attribute, check_mime_type);
  put(Tag::type, attribute.value);
}

void EntryParser::add_mode(const Attribute& attribute) {
  draft_.mode = in(attribute, parse_mode) & 0555;
}

void EntryParser::add_pieces(const Attribute& attribute) {
  in(attribute, [&](auto text) {
    const Pieces pieces = parse_pieces(text);
    within(text, pieces.reference,
           [&](auto each) { check_reference(each, !defaults_->scope.base.empty()); });
    draft_.piece = pieces.length;
  });
  put(Tag::pieces, attribute.value);
}

void EntryParser::add_validator(const Attribute& attribute) {
  in(attribute, check_validator);
  put(Tag::validator, attribute.value);
}

void EntryParser::add_auth(const Attribute& attribute) {
  in(attribute, check_auth);
  put(Tag::auth, attribute.value);
}

void EntryParser::add_window(const Attribute& attribute) {
  if (!draft_.size) fail(size_, "!off needs a size");
  in(attribute, [&](auto text) { parse_window(text, *draft_.size); });
  put(Tag::window, attribute.value);
}

void EntryParser::add_part(const Attribute& attribute) {
  if (++parts_ > kMaxParts) fail(attribute.written, "more than 1024 parts");
  std::uint64_t length = 0;
  if (attribute.value.starts_with(kBase64)) {
    std::string bytes;
    in(attribute, [&](auto text) { decode_base64(text, bytes); });
    if (bytes.empty()) fail(attribute.written, "a part of no bytes");
    length = bytes.size();
    put(Tag::literal, bytes);
  } else if (attribute.value.starts_with('*')) {
    fail(attribute.written, "!part=* is refused: write the object's length, 0+LEN");
  } else {
    in(attribute, [&](auto text) {
      const RemotePart part = parse_remote_part(text);
      length = part.length;
      within(text, part.located.reference,
             [&](auto each) { check_reference(each, !defaults_->scope.base.empty()); });
    });
    put(Tag::part, attribute.value);
  }
  if (length > kMaxNumber - part_bytes_) fail(attribute.written, "parts above 2^63-1 bytes");
  part_bytes_ += length;
}

void EntryParser::add_data(const Attribute& attribute) {
  std::string bytes;
  in(attribute, [&](auto text) { decode_base64(text, bytes); });
  if (draft_.size.value_or(bytes.size()) != bytes.size()) {
    fail(size_, "the inline data has " + std::to_string(bytes.size()) + " bytes");
  }
  draft_.size = bytes.size();
  put(Tag::literal, bytes);
}

void EntryParser::add_link(const Attribute& attribute) {
  in(attribute, [&](auto text) { check_link_target(text, depth_ - 1, raw_names_); });
  if (draft_.size.value_or(attribute.value.size()) != attribute.value.size()) {
    fail(size_, "the link target has " + std::to_string(attribute.value.size()) + " bytes");
  }
  draft_.size = attribute.value.size();
  put(Tag::link, attribute.value);
}

// What only the whole line can tell.
void EntryParser::check_whole() const {
  if (form_ == Form::parts && part_bytes_ != *draft_.size) {
    fail(size_, "the parts have " + std::to_string(part_bytes_) + " bytes together");
  }
  if (form_ != Form::remote && form_ != Form::parts) return;
  const Attribute* const own = find("validator");
  const std::string_view validator = own != nullptr ? own->value : defaults_->scope.validator;
  if (validator == "size" && algorithms_ == 0 && find("pieces") == nullptr) {
    fail(path_, "validator=size needs a digest or pieces");
  }
}

}  // namespace skimfs::fs::manifest
