// SPDX-License-Identifier: MIT
//
// Owners of libcurl's handles.  Of the product only curl_options.*, http_engine.h and url.cc
// include this.
#pragma once

#include <curl/curl.h>

#include <memory>

namespace skimfs::fetch {

template <auto kFree>
struct CurlFree {
  template <class T>
  void operator()(T* handle) const noexcept {
    kFree(handle);
  }
};

using CurlEasy = std::unique_ptr<CURL, CurlFree<curl_easy_cleanup>>;
using CurlMulti = std::unique_ptr<CURLM, CurlFree<curl_multi_cleanup>>;
using CurlShare = std::unique_ptr<CURLSH, CurlFree<curl_share_cleanup>>;
using CurlUrl = std::unique_ptr<CURLU, CurlFree<curl_url_cleanup>>;
using CurlText = std::unique_ptr<char, CurlFree<curl_free>>;

}  // namespace skimfs::fetch
