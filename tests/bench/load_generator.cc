// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// load_generator registrations|puts PORT CONNECTIONS WARM_UP_MS MEASURED_MS
//
// Runs the load of load.h and prints one line of JSON. Exit code 0 if every exchange was answered OK.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <string_view>

#include "tests/bench/load.h"

namespace {

using crnpd::bench::Options;
using crnpd::bench::Report;

bool parse(std::string_view text, unsigned least, unsigned most, unsigned& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most;
}

bool parse(std::span<char* const> arguments, Options& options) {
    unsigned port = 0;
    unsigned warmUp = 0;
    unsigned measured = 0;
    if (arguments.size() != 4 || !parse(arguments[0], 1, 65'535, port) ||
        !parse(arguments[1], 1, 20'000, options.connections) || !parse(arguments[2], 0, 3'600'000, warmUp) ||
        !parse(arguments[3], 1, 3'600'000, measured))
        return false;
    options.port = static_cast<std::uint16_t>(port);
    options.warmUp = std::chrono::milliseconds(warmUp);
    options.measured = std::chrono::milliseconds(measured);
    return true;
}

std::unique_ptr<crnpd::bench::Dialogue> dialogueCalled(std::string_view name) {
    if (name == "registrations") return std::make_unique<crnpd::bench::Registrations>();
    if (name == "puts") return std::make_unique<crnpd::bench::PlainPuts>();
    return nullptr;
}

// In microseconds; `share` of all latencies are at most this long.
double quantile(std::span<const std::chrono::nanoseconds> sorted, double share) {
    if (sorted.empty()) return 0;
    const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
    return static_cast<double>(sorted[index].count()) / 1000.0;
}

// The reply of a server is not ours: only what cannot break the JSON goes through.
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 300))
        out += c < ' ' || c > '~' ? '?' : c == '"' || c == '\\' ? '\'' : c;
    return out;
}

void print(Report report) {
    std::sort(report.latencies.begin(), report.latencies.end());
    const double seconds = std::chrono::duration<double>(report.measured).count();
    std::printf(
        R"({"per_second": %.0f, "p50_us": %.1f, "p99_us": %.1f, "max_us": %.1f, "exchanges": %zu, "answered": %llu, )"
        R"("errors": %llu, "first_error": "%s"})"
        "\n",
        static_cast<double>(report.latencies.size()) / seconds, quantile(report.latencies, 0.5),
        quantile(report.latencies, 0.99), quantile(report.latencies, 1.0), report.latencies.size(),
        static_cast<unsigned long long>(report.answered), static_cast<unsigned long long>(report.errors),
        printable(report.firstError).c_str());
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Options options;
        const std::span arguments(argv, static_cast<std::size_t>(argc));
        const auto dialogue = arguments.size() > 1 ? dialogueCalled(arguments[1]) : nullptr;
        if (!dialogue || !parse(arguments.subspan(2), options)) {
            std::fprintf(
                stderr, "usage: load_generator registrations|puts PORT CONNECTIONS WARM_UP_MS MEASURED_MS\n");
            return 2;
        }
        Report report = crnpd::bench::run(options, *dialogue);
        const bool clean = report.errors == 0;
        print(std::move(report));
        return clean ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load_generator: %s\n", error.what());
        return 1;
    }
}
