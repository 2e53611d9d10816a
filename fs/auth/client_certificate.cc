// SPDX-License-Identifier: MIT
//
// Reads both as libcurl does (7.88, lib/vtls/openssl.c:use_certificate_chain_blob and
// SSL_CTX_use_PrivateKey_blob), so that what passes here is not refused there.
#include "fs/auth/client_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <new>

#include "fs/auth/secret_file.h"

namespace skimfs::fs::auth {
namespace {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* thing) const noexcept {
    kFree(thing);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

// What fails here leaves nothing for the next who asks OpenSSL what went wrong.
struct CleanErrors {
  CleanErrors() { ERR_clear_error(); }
  ~CleanErrors() { ERR_clear_error(); }
  CleanErrors(const CleanErrors&) = delete;
  CleanErrors& operator=(const CleanErrors&) = delete;
};

[[noreturn]] void refuse(const PemFile& file, const std::string& why) {
  throw SecretError(file.path + ": " + why);
}

Bio open(const PemFile& file) {
  Bio bio(BIO_new_mem_buf(file.text.data(), static_cast<int>(file.text.size())));
  if (!bio) throw std::bad_alloc();
  return bio;
}

// A pem_password_cb: notes in the bool at `asked` that there is a pass phrase, and has none.
int no_pass_phrase(char*, int, int, void* asked) noexcept {
  *static_cast<bool*>(asked) = true;
  return -1;
}

// The first, which is shown; those after it are its chain.
Certificate read_certificate(const PemFile& file) {
  const Bio bio = open(file);
  bool asked = false;
  Certificate first(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_pass_phrase, &asked));
  if (!first)
    refuse(file,
           "wanted a certificate in PEM, found none that can be read; give the file with "
           "BEGIN CERTIFICATE");
  while (Certificate(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, &asked))) {
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    refuse(file,
           "wanted certificates in PEM, found a damaged one after the first; copy the file "
           "again");
  return first;
}

Key read_key(const PemFile& file) {
  const Bio bio = open(file);
  bool encrypted = false;
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, &encrypted));
  if (encrypted)
    refuse(file,
           "wanted a key without pass phrase, found an encrypted one; decrypt it with "
           "openssl pkey -in OLD -out NEW");
  if (!key)
    refuse(file,
           "wanted a private key in PEM, found none that can be read; give the file with "
           "BEGIN PRIVATE KEY");
  return key;
}

}  // namespace

void check_pair(const PemFile& certificate, const PemFile& key) {
  const CleanErrors clean;
  const Certificate shown = read_certificate(certificate);
  const Key proof = read_key(key);
  if (X509_check_private_key(shown.get(), proof.get()) != 1)
    refuse(key, "wanted the key of " + certificate.path +
                    ", found another one; give the two that belong together, that certificate "
                    "first in its file");
}

}  // namespace skimfs::fs::auth
