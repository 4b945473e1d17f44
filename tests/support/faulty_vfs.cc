// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/faulty_vfs.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <new>
#include <stdexcept>

#include <unistd.h>

#include "tests/support/store_folder.h"

namespace crnpd::store {
namespace {

constexpr std::size_t sectorSize = 512;

// A store in the making: it has no name yet, so a power failure leaves nothing of it.
bool isInTheMaking(const std::string& path) {
    return path.find(".new") != std::string::npos;
}

void copySector(const std::string& from, std::string& to, std::size_t sector) {
    const std::size_t begin = sector * sectorSize;
    if (begin >= from.size()) return;
    const std::size_t length = std::min(sectorSize, from.size() - begin);
    if (to.size() < begin + length) to.resize(begin + length);
    to.replace(begin, length, from, begin, length);
}

}  // namespace

// SQLite allocates this, with room for the real file behind it.
struct FaultyVfs::File {
    sqlite3_file base;
    FaultyVfs* disk;
    std::string path;
    std::shared_ptr<Node> node;  // null for temporary files

    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

struct FaultyVfs::Calls {
    static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
    static FaultyVfs& of(sqlite3_vfs* vfs) { return *static_cast<FaultyVfs*>(vfs->pAppData); }

    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* outFlags) {
        auto& disk = of(vfs);
        auto* file = new (out) File{{}, &disk, name == nullptr ? "" : name, nullptr};
        const bool isNew = name != nullptr && !std::filesystem::exists(file->path);
        if (disk.off_ || (isNew && (flags & SQLITE_OPEN_CREATE) != 0 && disk.nextUnlessOnlyFull())) {
            file->~File();
            out->pMethods = nullptr;
            return SQLITE_CANTOPEN;
        }
        const int code = disk.real_->xOpen(disk.real_, name, file->real(), flags, outFlags);
        if (code != SQLITE_OK) {
            file->~File();
            out->pMethods = nullptr;
            return code;
        }
        file->base.pMethods = &methods;
        if (name != nullptr) file->node = disk.nodeOf(file->path, isNew);
        return SQLITE_OK;
    }

    static int remove(sqlite3_vfs* vfs, const char* name, int syncFolder) {
        auto& disk = of(vfs);
        if (disk.nextUnlessOnlyFull()) return SQLITE_IOERR_DELETE;
        const int code = disk.real_->xDelete(disk.real_, name, 0);
        if (code == SQLITE_OK) {
            disk.inMemory_.erase(name);
            if (syncFolder != 0) disk.onMedium_.erase(name);
        }
        return code;
    }

    static int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
        return of(vfs).real_->xAccess(of(vfs).real_, name, flags, out);
    }
    static int fullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
        return of(vfs).real_->xFullPathname(of(vfs).real_, name, size, out);
    }
    static int randomness(sqlite3_vfs* vfs, int size, char* out) {
        return of(vfs).real_->xRandomness(of(vfs).real_, size, out);
    }
    static int sleep(sqlite3_vfs* vfs, int microseconds) {
        return of(vfs).real_->xSleep(of(vfs).real_, microseconds);
    }
    static int currentTime(sqlite3_vfs* vfs, double* out) {
        return of(vfs).real_->xCurrentTime(of(vfs).real_, out);
    }
    static int lastError(sqlite3_vfs*, int, char*) { return errno; }

    static int close(sqlite3_file* base) {
        auto& file = of(base);
        const int code = file.real()->pMethods->xClose(file.real());
        file.~File();
        return code;
    }
    static int read(sqlite3_file* base, void* out, int size, sqlite3_int64 offset) {
        auto& file = of(base);
        if (file.disk->off_) return SQLITE_IOERR_READ;
        return file.real()->pMethods->xRead(file.real(), out, size, offset);
    }
    static int write(sqlite3_file* base, const void* data, int size, sqlite3_int64 offset) {
        auto& file = of(base);
        const auto fault = file.disk->next();
        if (!fault || (fault == Fault::diskFull && !grows(file, size, offset))) {
            return writeReally(file, data, size, offset);
        }
        if (file.disk->off_ && fault != Fault::powerFailure) return SQLITE_IOERR_WRITE;
        if (fault != Fault::ioError) (void)writeReally(file, data, size / 2, offset);
        const bool full = fault == Fault::noSpace || fault == Fault::diskFull;
        errno = full ? ENOSPC : EIO;
        return full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    static bool grows(File& file, int size, sqlite3_int64 offset) {
        sqlite3_int64 now = 0;
        file.real()->pMethods->xFileSize(file.real(), &now);
        return offset + size > now;
    }
    static int writeReally(File& file, const void* data, int size, sqlite3_int64 offset) {
        if (file.node && size > 0) {
            const auto begin = static_cast<std::size_t>(offset);
            const auto end = begin + static_cast<std::size_t>(size);
            for (std::size_t at = begin / sectorSize; at * sectorSize < end; ++at)
                file.node->dirty.insert(at);
        }
        return file.real()->pMethods->xWrite(file.real(), data, size, offset);
    }
    static int truncate(sqlite3_file* base, sqlite3_int64 size) {
        auto& file = of(base);
        if (file.disk->nextUnlessOnlyFull()) return SQLITE_IOERR_TRUNCATE;
        if (file.node) {
            const auto cut = static_cast<std::size_t>(size);
            file.node->cut = std::min(file.node->cut.value_or(cut), cut);
            file.node->dirty.erase(file.node->dirty.lower_bound((cut + sectorSize - 1) / sectorSize),
                                   file.node->dirty.end());
        }
        return file.real()->pMethods->xTruncate(file.real(), size);
    }
    // Nothing of the real file is synced: the test plays the medium, and it would only be slow.
    static int sync(sqlite3_file* base, int) {
        auto& file = of(base);
        const bool wasOff = file.disk->off_;
        const auto fault = file.disk->nextUnlessOnlyFull();
        if (!file.node) return fault ? SQLITE_IOERR_FSYNC : SQLITE_OK;
        if (fault) {
            if (!wasOff && !file.disk->off_) file.disk->flushSome(file.path, *file.node);
            errno = fault == Fault::noSpace ? ENOSPC : EIO;
            return SQLITE_IOERR_FSYNC;
        }
        file.disk->flush(file.path, *file.node);
        file.disk->onMedium_[file.path] = file.node;  // the first sync of a new file syncs its folder
        return SQLITE_OK;
    }
    static int fileSize(sqlite3_file* base, sqlite3_int64* out) {
        if (of(base).disk->off_) return SQLITE_IOERR_FSTAT;
        return of(base).real()->pMethods->xFileSize(of(base).real(), out);
    }
    static int lock(sqlite3_file* base, int level) {
        return of(base).real()->pMethods->xLock(of(base).real(), level);
    }
    static int unlock(sqlite3_file* base, int level) {
        return of(base).real()->pMethods->xUnlock(of(base).real(), level);
    }
    static int checkReservedLock(sqlite3_file* base, int* out) {
        return of(base).real()->pMethods->xCheckReservedLock(of(base).real(), out);
    }
    static int fileControl(sqlite3_file* base, int operation, void* argument) {
        return of(base).real()->pMethods->xFileControl(of(base).real(), operation, argument);
    }
    static int sizeOfSector(sqlite3_file* base) {
        return of(base).real()->pMethods->xSectorSize(of(base).real());
    }
    static int characteristics(sqlite3_file* base) {
        return of(base).real()->pMethods->xDeviceCharacteristics(of(base).real());
    }
    static int shmMap(sqlite3_file* base, int region, int size, int extend, void volatile** out) {
        auto& file = of(base);
        // A region that exists is mapped again without a change; only asking tells.
        const int code = file.real()->pMethods->xShmMap(file.real(), region, size, 0, out);
        if (code != SQLITE_OK || *out != nullptr || extend == 0) return code;
        if (file.disk->next()) return SQLITE_IOERR_SHMSIZE;
        return file.real()->pMethods->xShmMap(file.real(), region, size, extend, out);
    }
    static int shmLock(sqlite3_file* base, int offset, int count, int flags) {
        return of(base).real()->pMethods->xShmLock(of(base).real(), offset, count, flags);
    }
    static void shmBarrier(sqlite3_file* base) { of(base).real()->pMethods->xShmBarrier(of(base).real()); }
    static int shmUnmap(sqlite3_file* base, int remove) {
        return of(base).real()->pMethods->xShmUnmap(of(base).real(), remove);
    }

    // Version 2: with shared memory, without memory-mapped reads.
    static constexpr sqlite3_io_methods methods{2,
                                                &close,
                                                &read,
                                                &write,
                                                &truncate,
                                                &sync,
                                                &fileSize,
                                                &lock,
                                                &unlock,
                                                &checkReservedLock,
                                                &fileControl,
                                                &sizeOfSector,
                                                &characteristics,
                                                &shmMap,
                                                &shmLock,
                                                &shmBarrier,
                                                &shmUnmap,
                                                nullptr,
                                                nullptr};
};

FaultyVfs::FaultyVfs() : real_(sqlite3_vfs_find(nullptr)) {
    static unsigned count = 0;
    name_ = "faulty-" + std::to_string(++count);
    vfs_.iVersion = 1;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.mxPathname = real_->mxPathname;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = &Calls::open;
    vfs_.xDelete = &Calls::remove;
    vfs_.xAccess = &Calls::access;
    vfs_.xFullPathname = &Calls::fullPathname;
    vfs_.xRandomness = &Calls::randomness;
    vfs_.xSleep = &Calls::sleep;
    vfs_.xCurrentTime = &Calls::currentTime;
    vfs_.xGetLastError = &Calls::lastError;
    if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) throw std::runtime_error("cannot register a VFS");
}

FaultyVfs::~FaultyVfs() {
    sqlite3_vfs_unregister(&vfs_);
}

void FaultyVfs::fail(unsigned n, Fault fault, unsigned times) {
    heal();
    failAt_ = n;
    fault_ = fault;
    times_ = times;
}

void FaultyVfs::heal() {
    operations_ = failures_ = failAt_ = 0;
}

std::optional<FaultyVfs::Fault> FaultyVfs::next() {
    if (off_) return Fault::ioError;
    ++operations_;
    const bool fails = failAt_ != 0 && operations_ >= failAt_ && operations_ - failAt_ < times_;
    if (!fails) return std::nullopt;
    ++failures_;
    if (fault_ == Fault::powerFailure) off_ = true;
    return fault_;
}

// For operations that need no new space.
std::optional<FaultyVfs::Fault> FaultyVfs::nextUnlessOnlyFull() {
    const auto fault = next();
    if (fault == Fault::diskFull) return std::nullopt;
    return fault;
}

std::shared_ptr<FaultyVfs::Node> FaultyVfs::nodeOf(const std::string& path, bool isNew) {
    auto& node = inMemory_[path];
    if (isNew) {
        node = std::make_shared<Node>();
    } else if (!node) {
        node = std::make_shared<Node>();
        node->medium = contentOf(path);
        onMedium_[path] = node;
    }
    return node;
}

void FaultyVfs::flush(const std::string& path, Node& node) {
    const auto memory = contentOf(path);
    if (node.cut) node.medium.resize(std::min(node.medium.size(), *node.cut));
    node.medium.resize(memory.size());
    for (const std::size_t sector : node.dirty)
        copySector(memory, node.medium, sector);
    node.dirty.clear();
    node.cut.reset();
}

void FaultyVfs::flushSome(const std::string& path, Node& node) {
    const auto memory = contentOf(path);
    if (node.cut && chance()) node.medium.resize(std::min(node.medium.size(), *node.cut));
    const bool none = chance();
    for (const std::size_t sector : node.dirty) {
        if (!none && chance()) copySector(memory, node.medium, sector);
    }
    node.dirty.clear();
    node.cut.reset();
}

void FaultyVfs::powerOn(unsigned survivors) {
    random_.seed(survivors);
    for (auto& [path, node] : inMemory_) {
        if (survivors == everythingSurvives) {
            flush(path, *node);
        } else if (survivors != nothingSurvives) {
            flushSome(path, *node);
        }
        const bool nameSurvives =
            survivors != nothingSurvives && (survivors == everythingSurvives || chance());
        if (nameSurvives) onMedium_[path] = node;
    }
    std::erase_if(onMedium_, [&](const auto& entry) {
        const bool deleted = !inMemory_.contains(entry.first);
        return deleted && (survivors == everythingSurvives || (survivors != nothingSurvives && chance()));
    });
    for (const auto& entry : inMemory_)
        ::unlink(entry.first.c_str());
    std::erase_if(onMedium_, [](const auto& entry) { return isInTheMaking(entry.first); });
    for (auto& [path, node] : onMedium_) {
        node->dirty.clear();
        node->cut.reset();
        writeContent(path, node->medium);
        ::unlink((path + "-shm").c_str());
    }
    inMemory_ = onMedium_;
    off_ = false;
    heal();
}

void FaultyVfs::processDied(bool wasLast) {
    for (const auto& entry : inMemory_) {
        if (wasLast) ::unlink((entry.first + "-shm").c_str());
    }
    off_ = false;
    heal();
}

void FaultyVfs::dropCleanPages() {
    for (auto& [path, node] : inMemory_) {
        auto seen = node->medium;
        const auto memory = contentOf(path);
        seen.resize(memory.size());
        for (const std::size_t sector : node->dirty)
            copySector(memory, seen, sector);
        writeContent(path, seen);
    }
}

}  // namespace crnpd::store
