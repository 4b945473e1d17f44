// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/sha256.h"

#include <array>
#include <iterator>
#include <new>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace crnpd::dump {
namespace {

// All that libcrypto can fail with here is want of memory.
void need(int result) {
    if (result != 1) throw std::bad_alloc();
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept {
    EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_) throw std::bad_alloc();
    need(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
    need(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string Sha256::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    need(EVP_DigestFinal_ex(context_.get(), digest.data(), &length));
    std::string text;
    for (unsigned i = 0; i < length; ++i)
        fmt::format_to(std::back_inserter(text), "{:02x}", digest.at(i));
    return text;
}

}  // namespace crnpd::dump
