// SPDX-License-Identifier: MIT
//
// Mounting.
#include "tools/cmd_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <new>
#include <system_error>

#include "fs/control.h"
#include "fs/load_manifest.h"
#include "fs/log.h"
#include "fs/option_list.h"
#include "fs/shell/daemonise.h"
#include "fs/shell/mount.h"
#include "tools/exit_code.h"
#include "tools/page.h"

namespace skimfs::tools {
namespace {

using fs::shell::Outcome;

// What stopped a start, in one line, and mount(8)'s code for it.
Outcome describe(const std::exception_ptr& failure) {
  const std::string name = "skimfs: ";
  try {
    std::rethrow_exception(failure);
  } catch (const fs::manifest::ManifestError& error) {
    return {kMountFailed, error.what()};  // begins with file:line:column, as compilers do
  } catch (const fs::shell::MountError& error) {
    return {error.code, name + error.what()};
  } catch (const fs::RemountError& error) {
    return {kMountFailed, name + error.what()};
  } catch (const fs::OptionError& error) {
    return {kMountUsage, name + error.what()};
  } catch (const UsageError& error) {
    return {kMountUsage, name + error.what() + "; skimfs --help tells how"};
  } catch (const std::bad_alloc&) {
    return {kMountSystem, name + "not mounted: out of memory"};
  } catch (const std::logic_error& error) {
    return {kMountInternal, name + "a mistake of ours, please report it: " + error.what()};
  } catch (const std::exception& error) {
    return {kMountFailed, name + "not mounted: " + error.what()};
  }
}

// The whole life of a mount.  Until `ready` a failure is the caller's to print, after it the log's.
Outcome serve(const fs::Options& options, const std::function<void()>& ready) {
  bool running = false;
  Outcome outcome;
  try {
    fs::shell::serve(options, [&] {
      running = true;
      ready();
    });
  } catch (...) {
    outcome = describe(std::current_exception());
    if (running)
      fs::log::event(fs::log::Level::error, "ended", "", "why=" + fs::log::escape(outcome.text));
  }
  fs::log::flush();
  return outcome;
}

void check_operands(const MountWords& words) {
  const std::string& source = words.options.source;
  if (source.empty()) throw UsageError("wanted SOURCE and DIR, found neither");
  if (words.options.mountpoint.empty()) {
    throw UsageError("wanted SOURCE and DIR, found only \"" + source + "\"");
  }
  if (source.find("://") != std::string::npos) {
    throw fs::OptionError("source " + source +
                          ": a manifest is read from a file; download it first");
  }
  const bool stream = source == "-" || source.starts_with("/dev/fd/");
  if (stream && !words.options.foreground) {
    throw fs::OptionError("source " + source + " can only be read in the foreground: add -f");
  }
}

// Names that mean the same from "/", where a background process lives.
void make_absolute(fs::Options& options) {
  if (options.source != "-") options.source = std::filesystem::absolute(options.source).string();
  options.mountpoint = fs::control::mount_name(options.mountpoint);
  if (options.mountpoint == "/") {
    throw fs::OptionError("/: a mount there would hide everything; choose another directory");
  }
}

// mount -N: this process has one thread, as setns(2) wants it.
void enter_namespace(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool entered = fd >= 0 && setns(fd, CLONE_NEWNS) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!entered) throw std::system_error(error, std::generic_category(), "namespace " + path);
}

Outcome mount(MountWords words) {
  for (const std::string& warning : words.warnings) {
    std::cerr << "skimfs: warning: " << warning << '\n';
  }
  check_operands(words);
  if (!words.mount_namespace.empty()) enter_namespace(words.mount_namespace);
  make_absolute(words.options);
  if (words.check_only) {
    fs::load_manifest(words.options);
    return {};
  }
  const auto tell = [&] {
    if (!words.verbose) return;
    std::cout << words.options.source << " mounted on " << words.options.mountpoint << std::endl;
  };
  if (words.options.foreground) return serve(words.options, tell);
  // A lock or a pipe that the caller holds is not held as long as the mount lives; we have none
  // yet.
  close_range(STDERR_FILENO + 1, ~0u, 0);
  Outcome outcome = fs::shell::run_in_background(
      words.options.start_timeout,
      [&](const std::function<void()>& ready) { return serve(words.options, ready); });
  if (outcome.code == kMounted) tell();
  return outcome;
}

}  // namespace

int mount_command(Words words, MountWords (*parse)(Words)) {
  Outcome outcome;
  try {
    MountWords parsed = parse(words);
    if (parsed.help) return print(help_text());
    if (parsed.version) return print(version_text());
    outcome = mount(std::move(parsed));
  } catch (...) {
    outcome = describe(std::current_exception());
  }
  if (!outcome.text.empty()) std::cerr << outcome.text << '\n';
  return outcome.code;
}

}  // namespace skimfs::tools
