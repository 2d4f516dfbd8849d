// How the host library shares a kernel's rows among threads. Only the host compiler reads this.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>

namespace host {

// Calls task(0) ... task(count - 1), each once, on up to `threads` threads; returns when all are done.
void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task);

// Elements below which waking a thread costs more than it saves.
constexpr int64_t kInlineElements = 8192;
// Elements of one task: small enough to balance the load, large enough to hide the cost of fetching it.
constexpr int64_t kTaskElements = 8192;

// body(args, begin, end, from, to) over all rows; a single long row is cut along x.
template <class Args, class Body>
void rows(const Args& args, int threads, Body body) {
    const int64_t rows = args.rows, width = args.width;
    if (rows <= 0 || width <= 0) return;
    if (rows * width <= kInlineElements || threads <= 1) { body(args, 0, rows, 0, (int)width); return; }
    if (rows == 1) {
        parallel((width + kTaskElements - 1) / kTaskElements, threads, [&](int64_t i) {
            body(args, 0, 1, (int)(i * kTaskElements), (int)std::min(width, (i + 1) * kTaskElements));
        });
        return;
    }
    const int64_t per_task = std::max<int64_t>(1, kTaskElements / width);
    const int64_t tasks = (rows + per_task - 1) / per_task;
    parallel(tasks, threads, [&](int64_t i) { body(args, i * per_task, std::min(rows, (i + 1) * per_task), 0, (int)width); });
}

// body(...) for each element, some to a task: those of a kernel whose elements are long.
constexpr int64_t kTasksOfAThread = 16;
template <class Args, class Body>
void blocks(const Args& args, int threads, Body body) {
    const int64_t width = args.width, count = args.rows * width;
    const int64_t per_task = std::max<int64_t>(1, count / (kTasksOfAThread * std::max(1, threads)));
    parallel((count + per_task - 1) / per_task, threads, [&](int64_t task) {
        const int64_t end = std::min(count, (task + 1) * per_task);
        for (int64_t i = task * per_task; i < end; ++i) body(args, i / width, i / width + 1, (int)(i % width), (int)(i % width) + 1);
    });
}

// A scatter kernel adds to grad [slots, slot_size]. The rows of a slot (rows / slots of them) are cut into
// `pieces`; piece 0 adds to grad itself, piece k to the k-1st of the spare buffers, each as large as grad.
// Then the pieces are summed in order. The partition follows from the sizes, never from the thread count.
template <class Args, class Body>
void scatter(const Args& args, int threads, Body body) {
    const int64_t slots = args.slots, pieces = args.pieces, size = args.slot_size;
    if (slots <= 0) return;
    const int64_t rows = args.rows / slots;
    if (args.rows * args.width <= kInlineElements) threads = 1;
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
