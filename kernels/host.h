// How the host library shares a kernel's rows among threads. Only the host compiler reads this.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

namespace host {

// Calls task(0) ... task(count - 1), each once, on up to `threads` threads; returns when all are done.
void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task);

// Work below which waking a thread costs more than it saves.
constexpr int64_t kInlineWork = 8192;
// Work of one task: small enough to balance the load, large enough to hide the cost of fetching it.
constexpr int64_t kTaskWork = 8192;

// The work of one element: what its Args say, or 1.
template <class Args, class = void>
constexpr int64_t kWork = 1;
template <class Args>
constexpr int64_t kWork<Args, std::void_t<decltype(Args::work)>> = Args::work;

// body(args, begin, end, from, to) over elements [from, to) of all rows: several rows to a task, or a part of a long one.
template <class Args, class Body>
void rows(const Args& args, int threads, Body body) {
    const int64_t rows = args.rows, width = args.width, per_task = std::max<int64_t>(1, kTaskWork / kWork<Args>);
    if (rows <= 0 || width <= 0) return;
    if (rows * width * kWork<Args> <= kInlineWork || threads <= 1) { body(args, 0, rows, 0, (int)width); return; }
    if (width > per_task) {
        const int64_t parts = (width + per_task - 1) / per_task;
        parallel(rows * parts, threads, [&](int64_t i) {
            const int64_t row = i / parts, from = i % parts * per_task;
            body(args, row, row + 1, (int)from, (int)std::min(width, from + per_task));
        });
        return;
    }
    const int64_t rows_per_task = per_task / width, tasks = (rows + rows_per_task - 1) / rows_per_task;
    parallel(tasks, threads, [&](int64_t i) { body(args, i * rows_per_task, std::min(rows, (i + 1) * rows_per_task), 0, (int)width); });
}

// A scatter kernel adds to grad [slots, slot_size]. The rows of a slot (rows / slots of them) are cut into
// `pieces`; piece 0 adds to grad itself, piece k to the k-1st of the spare buffers, each as large as grad.
// Then the pieces are summed in order. The partition follows from the sizes, never from the thread count.
template <class Args, class Body>
void scatter(const Args& args, int threads, Body body) {
    const int64_t slots = args.slots, pieces = args.pieces, size = args.slot_size;
    if (slots <= 0) return;
    const int64_t rows = args.rows / slots;
    if (args.rows * args.width <= kInlineWork) threads = 1;
    parallel(slots * pieces, threads, [&](int64_t task) {
        const int64_t slot = task / pieces, piece = task % pieces;
        Args a = args;
        a.grad = piece == 0 ? args.grad : args.spare + (piece - 1) * slots * size;
        std::memset(a.grad + slot * size, 0, size * sizeof(float));
        body(a, slot * rows + rows * piece / pieces, slot * rows + rows * (piece + 1) / pieces, 0, args.width);
    });
    if (pieces == 1) return;
    const int64_t total = slots * size, step = 16384;
    parallel((total + step - 1) / step, threads, [&](int64_t task) {
        const int64_t begin = task * step, end = std::min(total, begin + step);
        for (int64_t piece = 1; piece < pieces; ++piece) {
            const float* from = args.spare + (piece - 1) * total;
            float* to = args.grad;
            for (int64_t i = begin; i < end; ++i) to[i] += from[i];
        }
    });
}

}  // namespace host
