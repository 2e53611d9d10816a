// SPDX-License-Identifier: MIT
//
// See profiles.h.
#include "fs/auth/profiles.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "fs/auth/client_certificate.h"
#include "fs/auth/profile_text.h"

namespace skimfs::fs::auth {
namespace {

// RFC 4648 section 4.
std::string base64(const std::string& text) {
  std::string coded((text.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock(3) ends it with a NUL
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(coded.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  coded.resize(static_cast<std::size_t>(length));
  return coded;
}

// What a profile is at one time.
struct Snapshot {
  std::vector<fetch::Url> matches;
  std::shared_ptr<const fetch::Credential> credential;
};

// Builds credentials; notes which files went into them.
class Builder {
 public:
  Builder(std::string folder, std::vector<FileStamp>& read, uid_t also)
      : folder_(std::move(folder)), read_(read), also_(also) {}

  fetch::Credential build(const ProfileText& text) {
    fetch::Credential built;
    built.headers = text.headers;
    if (!text.header_file.empty()) add_headers(built, text.header_file);
    if (!text.bearer_file.empty())
      built.headers.push_back("Authorization: Bearer " + one_line(text.bearer_file));
    if (!text.certificate.empty()) add_certificate(built, text);
    if (text.user.empty()) return built;
    const std::string password = one_line(text.password_file);
    if (text.signature.empty()) {
      built.headers.push_back("Authorization: Basic " + base64(text.user + ":" + password));
      return built;
    }
    built.signature = text.signature;
    built.user = text.user;
    built.password = password;
    if (!text.token_file.empty())
      built.headers.push_back("x-amz-security-token: " + one_line(text.token_file));
    return built;
  }

 private:
  std::string at(const std::string& path) const {
    return path.starts_with('/') ? path : folder_ + path;
  }

  std::string secret(const std::string& path) {
    Secret file = read_secret(at(path), also_);
    read_.push_back(std::move(file.stamp));
    return std::move(file.text);
  }

  // Both files are of one reading, so a pair that is being replaced is never taken by halves.
  void add_certificate(fetch::Credential& built, const ProfileText& text) {
    Secret certificate = read_public(at(text.certificate));
    read_.push_back(std::move(certificate.stamp));
    built.certificate = std::move(certificate.text);
    built.key = secret(text.key);
    check_pair({at(text.certificate), built.certificate}, {at(text.key), built.key});
  }

  // All of the file but its line end.
  std::string one_line(const std::string& path) {
    std::string text = secret(path);
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    const bool printable =
        std::ranges::all_of(text, [](char c) { return c >= ' ' && c != '\x7f'; });
    if (text.empty() || !printable) throw SecretError(at(path) + ": wanted one line of text");
    return text;
  }

  void add_headers(fetch::Credential& built, const std::string& path) {
    const std::string text = secret(path);
    const std::size_t before = built.headers.size();
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t end = std::min(text.find('\n', from), text.size());
      const std::string line = text.substr(from, end - from);
      from = end + 1;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      built.headers.push_back(header_field(line));
      if (built.headers.back().empty())
        throw SecretError(at(path) + ": wanted lines of \"Name: value\"");
    }
    if (built.headers.size() == before) throw SecretError(at(path) + ": wanted a header line");
  }

  const std::string folder_;
  std::vector<FileStamp>& read_;
  const uid_t also_;
};

}  // namespace

// Covers nothing while no file states it.
class Profiles::Known final : public fetch::Profile {
 public:
  explicit Known(std::string name) : name_(std::move(name)) {}
  const std::string& name() const noexcept override { return name_; }
  bool known() const override {
    const std::lock_guard lock(mutex_);
    return !now_.matches.empty();
  }
  // Both of one reading of the file.
  std::optional<std::shared_ptr<const fetch::Credential>> credential(
      const fetch::Url& url) const override {
    const std::lock_guard lock(mutex_);
    const auto covers = [&url](const fetch::Url& match) { return matches(match, url); };
    if (std::ranges::none_of(now_.matches, covers)) return std::nullopt;
    return now_.credential;
  }
  void become(Snapshot snapshot) {
    const std::lock_guard lock(mutex_);
    std::swap(now_, snapshot);
  }

 private:
  const std::string name_;
  mutable std::mutex mutex_;
  Snapshot now_;  // guarded by mutex_
};

struct Profiles::Read {
  std::map<std::string, Snapshot, std::less<>> profiles;
  std::vector<FileStamp> files;
};

struct Profiles::State {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Known>, std::less<>> known;  // guarded by mutex
  std::vector<FileStamp> files;                                      // of refresh()

  std::shared_ptr<Known> find(std::string_view name) {
    const std::lock_guard lock(mutex);
    const auto found = known.find(name);
    if (found != known.end()) return found->second;
    return known.emplace(name, std::make_shared<Known>(std::string(name))).first->second;
  }

  std::vector<std::shared_ptr<Known>> all() {
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<Known>> profiles;
    for (const auto& [name, profile] : known) profiles.push_back(profile);
    return profiles;
  }

  void become(Read read) {
    for (const auto& [name, snapshot] : read.profiles) find(name);
    for (const auto& profile : all()) {
      const auto now = read.profiles.find(profile->name());
      profile->become(now == read.profiles.end() ? Snapshot{} : std::move(now->second));
    }
    files = std::move(read.files);
  }
};

Profiles::Profiles() : state_(std::make_unique<State>()) {}

Profiles::Profiles(std::string path, uid_t also)
    : path_(std::move(path)), also_(also), state_(std::make_unique<State>()) {
  state_->become(read(path_, also_));
}

Profiles::~Profiles() = default;

Profiles::Read Profiles::read(const std::string& path, uid_t also) {
  Read result;
  Secret file = read_secret(path, also);
  result.files.push_back(std::move(file.stamp));
  Builder builder(path.substr(0, path.rfind('/') + 1), result.files, also);
  try {
    for (const ProfileText& text : parse_profiles(file.text)) {
      result.profiles[text.name] = {text.matches,
                                    std::make_shared<const fetch::Credential>(builder.build(text))};
    }
  } catch (const ProfileError& error) {
    throw SecretError(path + ":" + std::to_string(error.line) + ": " + error.what());
  }
  return result;
}

std::shared_ptr<const fetch::Profile> Profiles::find(std::string_view name) const {
  return state_->find(name);
}

bool Profiles::knows(std::string_view name) const { return find(name)->known(); }

std::string Profiles::refresh() {
  if (path_.empty()) return {};
  const auto same = [](const FileStamp& file) { return file.still_there(); };
  if (std::ranges::all_of(state_->files, same)) return {};
  const std::string before = complaint_;
  try {
    read_again();
  } catch (const SecretError&) {
    if (complaint_ != before) return complaint_;
  }
  return {};
}

void Profiles::read_again() {
  if (path_.empty()) return;
  try {
    state_->become(read(path_, also_));
    complaint_.clear();
  } catch (const SecretError& error) {
    complaint_ = error.what();
    throw;
  }
}

std::string default_auth_file() {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value != nullptr && value[0] == '/' ? value : "");
  };
  std::vector<std::string> folders{variable("CREDENTIALS_DIRECTORY")};
  if (geteuid() == 0) {
    folders.emplace_back("/etc/skimfs");
  } else if (const std::string config = variable("XDG_CONFIG_HOME"); !config.empty()) {
    folders.push_back(config + "/skimfs");
  } else if (const std::string home = variable("HOME"); !home.empty()) {
    folders.push_back(home + "/.config/skimfs");
  }
  for (const std::string& folder : folders) {
    const std::string path = folder + "/auth.conf";
    if (!folder.empty() && access(path.c_str(), F_OK) == 0) return path;
  }
  return {};
}

}  // namespace skimfs::fs::auth
