// SPDX-License-Identifier: MIT
//
// See curl_options.h.
#include "fetch/curl_options.h"

#include <chrono>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "fetch/credential.h"

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;

void set_trust(CURL* easy, const Trust& trust) {
  const bool own = !trust.ca_file.empty() || !trust.ca_directory.empty();
  const auto path = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  for (const auto& [peer, host] :
       {std::pair{CURLOPT_SSL_VERIFYPEER, CURLOPT_SSL_VERIFYHOST},
        std::pair{CURLOPT_PROXY_SSL_VERIFYPEER, CURLOPT_PROXY_SSL_VERIFYHOST}}) {
    SKIMFS_SET(easy, peer, trust.verify ? 1L : 0L);
    SKIMFS_SET(easy, host, trust.verify ? 2L : 0L);
  }
  if (!own) return;
  for (const auto option : {CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO})
    SKIMFS_SET(easy, option, path(trust.ca_file));
  for (const auto option : {CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH})
    SKIMFS_SET(easy, option, path(trust.ca_directory));
}

// Only OpenSSL's reason tells this from a handshake that broke.  What it says of "HTTP/" depends on
// what it looks at first in a record: the version, or, from 3.2 on, the length.
bool speaks_no_tls(std::string_view words) noexcept {
  constexpr auto kNone = std::string_view::npos;
  return words.find("wrong version number") != kNone ||
         words.find("packet length too long") != kNone;
}

// To libcurl a proxy that refuses CONNECT is a connection that broke.  Whom it does not let through
// now it will not in a second; anything else it says is that it could not get there.
Fault fault_of_tunnel(CURL* easy) noexcept {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
  if (status == 401 || status == 403 || status == 407) return Fault::proxy_denied;
  return status >= 300 ? Fault::connect : Fault::reset;
}

// Not copied: the caller keeps the credential as long as the handle is set up for it.
bool set_pem(CURL* easy, CURLoption option, const std::string& pem) noexcept {
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
  return curl_easy_setopt(easy, option, pem.empty() ? nullptr : &blob) == CURLE_OK;
}

}  // namespace

void check(CURLcode code, const char* option) {
  if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
  if (code != CURLE_OK)
    throw std::runtime_error(std::string("libcurl: ") + option + ": " + curl_easy_strerror(code));
}

void init_libcurl_once() {
  static std::once_flag once;
  std::call_once(once, [] { check(curl_global_init(CURL_GLOBAL_DEFAULT), "global_init"); });
}

void set_common(CURL* easy, const FetchLimits& limits) {
  SKIMFS_SET(easy, CURLOPT_CONNECT_ONLY, 1L);
  SKIMFS_SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  SKIMFS_SET(easy, CURLOPT_HTTP_VERSION, long(CURL_HTTP_VERSION_1_1));  // what TLS offers
  SKIMFS_SET(easy, CURLOPT_NETRC, long(CURL_NETRC_IGNORED));
  SKIMFS_SET(easy, CURLOPT_NOPROXY, "");  // nothing from the environment
  SKIMFS_SET(easy, CURLOPT_NOSIGNAL, 1L);
  SKIMFS_SET(easy, CURLOPT_QUICK_EXIT, 1L);
  SKIMFS_SET(easy, CURLOPT_SSLVERSION, long(CURL_SSLVERSION_TLSv1_2));
  set_trust(easy, limits.trust);
  // curl_easy_recv(3) takes no more at once (7.88, Curl_read); a buffer lives while it connects.
  SKIMFS_SET(easy, CURLOPT_BUFFERSIZE, long(kMostAtOnce));
  SKIMFS_SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  SKIMFS_SET(easy, CURLOPT_TCP_KEEPIDLE, 30L);
  SKIMFS_SET(easy, CURLOPT_TCP_KEEPINTVL, 10L);
  SKIMFS_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, long(milliseconds(limits.connect_timeout).count()));
}

bool set_certificate(CURL* easy, const Credential* credential) noexcept {
  const Credential none;
  const Credential& with = credential ? *credential : none;
  return set_pem(easy, CURLOPT_SSLCERT_BLOB, with.certificate) &&
         set_pem(easy, CURLOPT_SSLKEY_BLOB, with.key) &&
         // Else OpenSSL would ask the terminal for the pass phrase of an encrypted key.
         curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "") == CURLE_OK;
}

std::shared_ptr<CURLSH> make_share() {
  CurlShare share(curl_share_init());
  if (!share) throw std::bad_alloc();
  // Sessions live with one easy handle unless they are shared; names that live in a share go with
  // it.
  curl_share_setopt(share.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  curl_share_setopt(share.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  return share;
}

Fault fault_of(CURL* easy, CURLcode code, std::string_view words) noexcept {
  switch (code) {
    case CURLE_OK:
      return Fault::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Fault::dns;
    case CURLE_COULDNT_CONNECT:
      return Fault::connect;
    case CURLE_OPERATION_TIMEDOUT:
      return Fault::connect_timeout;  // the only timeout set
    case CURLE_SSL_CONNECT_ERROR:
      return speaks_no_tls(words) ? Fault::not_tls : Fault::tls;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      return Fault::certificate;
    case CURLE_RECV_ERROR:
      return fault_of_tunnel(easy);
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
      return Fault::reset;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CERTPROBLEM:  // the certificate or key that we show
      return Fault::local;
    default:
      return Fault::protocol;
  }
}

std::string transport_version() {
  const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
  std::string text = info->version;
  if (info->ssl_version != nullptr) text += std::string(" ") + info->ssl_version;
  return text;
}

}  // namespace skimfs::fetch
