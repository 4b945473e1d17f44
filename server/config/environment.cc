// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include <cerrno>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config/load.h"
#include "server/config/value.h"

namespace crnpd::config {
namespace {

namespace fs = std::filesystem;

std::string reason(int code) {
    return std::generic_category().message(code);
}

fs::path folderOf(const fs::path& file) {
    const auto folder = file.parent_path();
    return folder.empty() ? fs::path(".") : folder;
}

class EnvironmentCheck {
public:
    EnvironmentCheck(const Settings& settings, const Origin& origin) : settings_(settings), origin_(origin) {}

    std::vector<Problem> run() {
        if (settings_.store.kind == StoreKind::etcd) {
            checkEtcdFiles();
        } else {
            checkStore();
        }
        checkControlSocket();
        if (settings_.log.target.kind == LogTarget::Kind::file) checkLogFile(settings_.log.target.file);
        return std::move(problems_);
    }

private:
    void complain(const std::string& name, const std::string& text) {
        problems_.push_back({origin_.where(name), name + ": " + text});
    }

    void checkStore() {
        const auto& file = settings_.store.path;
        const auto folder = checkFolder("store.path", file);
        if (!folder) return;
        if ((folder->st_mode & S_IWOTH) != 0 && (folder->st_mode & S_ISVTX) == 0) {
            complain("store.path",
                     "everybody may write to the folder " + inQuotes(folderOf(file).native()) +
                         " and so replace the registrations; allowed: a folder of the server's own");
        }
        checkFileType("store.path", file, S_IFREG, "a file");
        checkStoreIsWritable(file);
    }

    // Asks for the user who runs the check. Root may write nearly everywhere, so its check says less.
    void checkStoreIsWritable(const fs::path& file) {
        const auto refused = [this](const fs::path& path, int mode) {
            if (::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0 || errno == ENOENT) return false;
            complain("store.path", "cannot write to " + inQuotes(path.native()) + ": " + reason(errno) +
                                       "; allowed: a path that the server's user may write to");
            return true;
        };
        // In the folder: the lock file and SQLite's own files beside the store.
        if (!refused(folderOf(file), W_OK | X_OK)) refused(file, R_OK | W_OK);
    }

    void checkEtcdFiles() {
        const auto& etcd = settings_.store.etcd;
        checkReadable("store.etcd.ca_file", etcd.caFile, Secret::no);
        checkReadable("store.etcd.cert_file", etcd.certFile, Secret::no);
        checkReadable("store.etcd.key_file", etcd.keyFile, Secret::yes);
        checkReadable("store.etcd.password_file", etcd.passwordFile, Secret::yes);
    }

    enum class Secret { no, yes };
    void checkReadable(const std::string& name, const fs::path& file, Secret secret) {
        if (file.empty()) return;
        struct stat status {};
        if (::stat(file.c_str(), &status) != 0 ||
            ::faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) != 0) {
            return complain(name, "cannot read " + inQuotes(file.native()) + ": " + reason(errno) +
                                      "; allowed: a file that the server's user may read");
        }
        if (!S_ISREG(status.st_mode))
            return complain(name, inQuotes(file.native()) + " is not a file; allowed: a file's path");
        if (status.st_size == 0) return complain(name, inQuotes(file.native()) + " is empty");
        if (secret == Secret::yes && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
            complain(name, "everybody may read or change " + inQuotes(file.native()) +
                               "; allowed: a file for the server's user and group alone (chmod o= FILE)");
        }
    }

    void checkControlSocket() {
        const auto& file = settings_.control.socket;
        if (checkFolder("control.socket", file)) checkFileType("control.socket", file, S_IFSOCK, "a socket");
    }

    void checkLogFile(const fs::path& file) {
        if (!checkFolder("log.target", file)) return;
        struct stat status {};
        const bool exists = ::stat(file.c_str(), &status) == 0;
        if (exists && S_ISDIR(status.st_mode)) {
            return complain("log.target", inQuotes(file.native()) + " is a folder; allowed: a file's path");
        }
        const auto& written = exists ? file : folderOf(file);
        if (::faccessat(AT_FDCWD, written.c_str(), exists ? W_OK : W_OK | X_OK, AT_EACCESS) != 0) {
            complain("log.target", "cannot write to " + inQuotes(written.native()) + ": " + reason(errno) +
                                       "; allowed: a path that the server's user may write to");
        }
    }

    // The folder's status, or nothing after a complaint.
    std::optional<struct stat> checkFolder(const std::string& name, const fs::path& file) {
        const auto folder = folderOf(file);
        struct stat status {};
        if (::stat(folder.c_str(), &status) != 0) {
            const int code = errno;
            complain(name,
                     code == ENOENT
                         ? "the folder " + inQuotes(folder.native()) + " does not exist; create it first"
                         : "cannot look at the folder " + inQuotes(folder.native()) + ": " + reason(code));
            return std::nullopt;
        }
        if (!S_ISDIR(status.st_mode)) {
            complain(name,
                     inQuotes(folder.native()) + " is not a folder; allowed: a path in a folder that exists");
            return std::nullopt;
        }
        return status;
    }

    // What is there already must be ours to use.
    void checkFileType(const std::string& name, const fs::path& file, mode_t wanted,
                       const std::string& noun) {
        struct stat status {};
        if (::stat(file.c_str(), &status) != 0) return;  // made at the start
        if ((status.st_mode & S_IFMT) == wanted) return;
        complain(name, inQuotes(file.native()) + " exists and is not " + noun + "; allowed: " + noun +
                           " or a path where nothing is yet");
    }

    const Settings& settings_;
    const Origin& origin_;
    std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> checkEnvironment(const Settings& settings, const Origin& origin) {
    return EnvironmentCheck(settings, origin).run();
}

}  // namespace crnpd::config
