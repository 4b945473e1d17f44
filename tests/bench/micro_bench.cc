// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The parts of an exchange one by one (Google Benchmark): where its microseconds go.
//
//     build/release/bin/micro_bench [--benchmark_filter=Commit]
//
// The store's file is made below the folder it is started in, because a file in memory would prove nothing.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <malloc.h>

#include "common/xml/message_end.h"
#include "common/xml/registration_reader.h"
#include "common/xml/runtime.h"
#include "server/delivery/matching.h"
#include "server/store/sqlite_store.h"
#include "tests/bench/load.h"

namespace {

using crnpd::Change;
using crnpd::ClientRecord;
using crnpd::xml::MessageEnd;

std::string document() {
    return std::string(crnpd::bench::Registrations().next());
}

void findEnd(benchmark::State& state) {
    const std::string bytes = document();
    for (auto _ : state) {
        MessageEnd end;
        benchmark::DoNotOptimize(end.feed(bytes));
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(findEnd);

void findEndByteByByte(benchmark::State& state) {
    const std::string bytes = document();
    for (auto _ : state) {
        MessageEnd end;
        for (const char& byte : bytes)
            benchmark::DoNotOptimize(end.feed({&byte, 1}));
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(findEndByteByByte);

void parseAndValidate(benchmark::State& state) {
    const std::string bytes = document();
    const crnpd::xml::Runtime runtime;
    crnpd::xml::RegistrationReader reader(runtime);
    for (auto _ : state) {
        if (!reader.parse(bytes)) return state.SkipWithError("the message was refused");
    }
}
BENCHMARK(parseAndValidate);

// A folder that goes with the object.
class ScratchFolder {
public:
    ScratchFolder() {
        std::string name = "micro-bench-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    ~ScratchFolder() { std::filesystem::remove_all(path_); }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

    [[nodiscard]] std::string file(const char* name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

// Replaces `count` of 60,000 clients: the batch of as many clients that registered meanwhile.
std::vector<Change> batchOf(std::size_t count, std::uint64_t& serial, const std::string& registrations) {
    constexpr std::uint64_t clients = 60'000;
    constexpr std::uint64_t stride = 7919;
    std::vector<Change> batch;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t number = 1 + serial++ * stride % clients;
        ClientRecord record;
        record.id = number;
        record.client.port = static_cast<std::uint16_t>(number);
        record.registrations = registrations + std::to_string(serial);
        batch.emplace_back(std::move(record));
    }
    return batch;
}

void commit(benchmark::State& state) {
    const ScratchFolder folder;
    crnpd::store::SqliteOptions options;
    options.path = folder.file("registrations.db");
    crnpd::store::SqliteStore store(options);
    auto snapshot = store.load();
    if (!snapshot) return state.SkipWithError(snapshot.error().text.c_str());
    crnpd::BatchId batch = snapshot->head;
    std::uint64_t serial = 0;
    const std::string registrations(200, 'x');
    const auto count = static_cast<std::size_t>(state.range());
    for (auto _ : state) {
        const auto changes = batchOf(count, serial, registrations);
        if (const auto outcome = store.commit(++batch, changes);
            outcome.state != crnpd::store::CommitState::committed)
            return state.SkipWithError(outcome.reason.text.c_str());
    }
    state.SetItemsProcessed(state.iterations() * state.range());
}
BENCHMARK(commit)->ArgName("changes")->Arg(1)->Arg(16)->Arg(64)->Arg(256)->UseRealTime();

std::size_t heapBytes() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

crnpd::Event groupEvent(const std::string& group) {
    return {"EC_Cluster",
            "ESC_cluster_rg_state",
            "SUNW",
            "rgm",
            {{"rg_name", {group}}, {"node_list", {"node1", "node2"}}, {"state_list", {"ONLINE", "OFFLINE"}}}};
}

// One event that matches one of a million clients, each of which wants one group of its own. Then the same
// with a second pair that all of them have, and with a registration that all share: what a client takes.
void matchOneOfMany(benchmark::State& state) {
    constexpr std::uint32_t clients = 1'000'000;
    const auto shape = state.range();
    const std::size_t before = heapBytes();
    crnpd::delivery::Matching matching;
    for (std::uint32_t client = 0; client < clients; ++client) {
        crnpd::EventRegistration wanted{"EC_Cluster", "ESC_cluster_rg_state", {}};
        if (shape == 1) wanted.pairs.push_back({"node_list", {"node1", "node2"}});
        if (shape == 2) wanted.pairs.push_back({"rg_name", {"shared"}});
        if (shape != 2) wanted.pairs.push_back({"rg_name", {"group-" + std::to_string(client)}});
        matching.set(client, {&wanted, 1});
    }
    state.counters["bytes_per_client"] = static_cast<double>(heapBytes() - before) / clients;
    std::vector<crnpd::delivery::ClientIndex> found;
    std::uint32_t serial = 0;
    for (auto _ : state) {
        found.clear();
        matching.match(groupEvent(shape == 2 ? "shared" : "group-" + std::to_string(serial)), found);
        if (found.size() != (shape == 2 ? clients : 1)) return state.SkipWithError("matched wrongly");
        serial = (serial + 7919) % clients;
    }
}
BENCHMARK(matchOneOfMany)->ArgName("own_0_two_pairs_1_shared_2")->DenseRange(0, 2);

}  // namespace

BENCHMARK_MAIN();
