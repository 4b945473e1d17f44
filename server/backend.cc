// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/backend.h"

#include <utility>

#include "server/store/file_lock.h"
#include "server/store/sqlite_store.h"

namespace crnpd {
namespace {

// One file on this machine; the lock beside it elects.
class SqliteBackend final : public Backend {
public:
    explicit SqliteBackend(const config::StoreSettings& settings)
        : path_(settings.path.native()), election_(path_) {}

    store::Election& election() noexcept override { return election_; }
    std::unique_ptr<store::RegistrationStore> openStore(store::Term) override {
        store::SqliteOptions options;
        options.path = path_;
        return std::make_unique<store::SqliteStore>(std::move(options));
    }
    std::chrono::milliseconds commitLimit() const noexcept override { return std::chrono::seconds{10}; }
    const std::string& name() const noexcept override { return path_; }

private:
    std::string path_;
    store::FileLock election_;
};

}  // namespace

std::unique_ptr<Backend> Backend::make(const config::Settings& settings) {
    return std::make_unique<SqliteBackend>(settings.store);
}

}  // namespace crnpd
