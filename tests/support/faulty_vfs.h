// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A disk for SQLite that fails when the test says so, and that remembers what a power failure would leave.
//
//     FaultyVfs disk;
//     SqliteStore store({.path = folder.store(), .vfs = disk.name()});
//     disk.fail(7, FaultyVfs::Fault::ioError);      // the 7th changing operation from now on
//
// The files themselves are real and stand for what the kernel has in memory. Beside them the disk remembers,
// in sectors of 512 bytes, what a sync has put on the medium, and which file names are on it. A failed sync
// does what Linux does: the pages count as clean from then on, whether or not they reached the medium, and no
// later sync writes them.
//
// Changing operations are: write, sync, truncate, delete, creating a file, and growing the shared memory.
//
// Threads    One.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

#include <sqlite3.h>

namespace crnpd::store {

class FaultyVfs {
public:
    enum class Fault {
        ioError,       // nothing done
        shortWrite,    // a write is done by half, then EIO
        noSpace,       // a write is done by half, then ENOSPC
        diskFull,      // as noSpace, but only what makes a file longer fails
        powerFailure,  // a write is done by half, and nothing works until powerOn()
    };
    // What was written but not synced when the power failed. Any other number: some sectors of it, chosen by
    // that number.
    static constexpr unsigned nothingSurvives = 0;
    static constexpr unsigned everythingSurvives = 1;

    FaultyVfs();
    ~FaultyVfs();
    FaultyVfs(const FaultyVfs&) = delete;
    FaultyVfs& operator=(const FaultyVfs&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }

    // The n-th changing operation from now on (the next is 1) fails, and those behind it, `times` in all.
    void fail(unsigned n, Fault fault, unsigned times = 1);
    static constexpr unsigned untilHealed = 1'000'000;
    void heal();
    [[nodiscard]] bool hasFailed() const { return failures_ > 0; }
    // Changing operations since fail() or heal().
    [[nodiscard]] unsigned operations() const { return operations_; }

    void powerOff() { off_ = true; }
    [[nodiscard]] bool isOff() const { return off_; }
    // All files must be closed. Leaves on the real disk what a power failure left on the medium.
    void powerOn(unsigned survivors);
    // The power was off while the store closed its files: as if only its process had died. `wasLast` is
    // false if another process has the files open, which keeps SQLite's shared memory alive.
    void processDied(bool wasLast);
    // The kernel needed memory: what is clean is read from the medium again.
    void dropCleanPages();

private:
    // One file's content on the medium, and what of the real file is not on it yet.
    struct Node {
        std::string medium;
        std::set<std::size_t> dirty;     // sectors
        std::optional<std::size_t> cut;  // smallest size it was truncated to since the last sync
    };
    struct File;
    struct Calls;

    // What shall happen to the operation that is about to run.
    std::optional<Fault> next();
    std::optional<Fault> nextUnlessOnlyFull();
    std::shared_ptr<Node> nodeOf(const std::string& path, bool isNew);
    void flush(const std::string& path, Node& node);
    void flushSome(const std::string& path, Node& node);
    bool chance() { return (random_() & 1U) != 0; }

    std::string name_;
    sqlite3_vfs vfs_{};
    sqlite3_vfs* real_ = nullptr;
    std::map<std::string, std::shared_ptr<Node>> inMemory_;
    std::map<std::string, std::shared_ptr<Node>> onMedium_;
    std::mt19937 random_{4711};

    unsigned operations_ = 0;
    unsigned failures_ = 0;
    unsigned failAt_ = 0;
    unsigned times_ = 1;
    Fault fault_ = Fault::ioError;
    bool off_ = false;
};

}  // namespace crnpd::store
