// SPDX-License-Identifier: MIT
//
// Certificates and keys made for one test, as PEM.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace skimfs::test {

// A self-signed certificate and its key.
struct Pair {
  Pair() : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free) {
    EXPECT_TRUE(key_);
    const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    EXPECT_EQ(X509_set_pubkey(made.get(), key_.get()), 1);
    EXPECT_GT(X509_sign(made.get(), key_.get(), EVP_sha256()), 0);
    certificate = text([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); });
    key = text([&](BIO* to) {
      return PEM_write_bio_PrivateKey(to, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

  // With a pass phrase: PKCS#8, or the older form of one algorithm.
  std::string encrypted_key(bool traditional = false) const {
    return text([&](BIO* to) {
      const auto write =
          traditional ? &PEM_write_bio_PrivateKey_traditional : &PEM_write_bio_PrivateKey;
      char phrase[] = "canary";
      return write(to, key_.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr, phrase);
    });
  }

  std::string certificate, key;

 private:
  template <class Write>
  static std::string text(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> to(BIO_new(BIO_s_mem()), &BIO_free);
    EXPECT_EQ(write(to.get()), 1);
    char* data = nullptr;
    const long length = BIO_get_mem_data(to.get(), &data);
    return {data, static_cast<std::size_t>(length)};
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

}  // namespace skimfs::test
