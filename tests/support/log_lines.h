// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What is logged while it lives. Make it before and let it go after whatever logs.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace crnpd::support {

class LogLines {
public:
    LogLines() { spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink_)); }
    ~LogLines() { spdlog::set_default_logger(std::make_shared<spdlog::logger>("none")); }
    LogLines(const LogLines&) = delete;
    LogLines& operator=(const LogLines&) = delete;

    [[nodiscard]] std::size_t count(std::string_view id) const { return sink_->count(id); }
    // Until there are so many lines with this id.
    void waitFor(std::string_view id, std::size_t lines = 1) const { sink_->waitFor(id, lines); }

private:
    class Sink final : public spdlog::sinks::base_sink<std::mutex> {
    public:
        std::size_t count(std::string_view id) {
            const std::scoped_lock lock(linesMutex_);
            return countLocked(id);
        }
        void waitFor(std::string_view id, std::size_t lines) {
            std::unique_lock lock(linesMutex_);
            more_.wait(lock, [&] { return countLocked(id) >= lines; });
        }

    protected:
        void sink_it_(const spdlog::details::log_msg& message) override {
            {
                const std::scoped_lock lock(linesMutex_);
                lines_.emplace_back(message.payload.data(), message.payload.size());
            }
            more_.notify_all();
        }
        void flush_() override {}

    private:
        std::size_t countLocked(std::string_view id) const {
            return static_cast<std::size_t>(
                std::ranges::count_if(lines_, [&](const auto& line) { return line.starts_with(id); }));
        }

        std::mutex linesMutex_;
        std::condition_variable more_;
        std::vector<std::string> lines_;
    };

    std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
};

}  // namespace crnpd::support
