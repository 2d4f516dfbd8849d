// The host library beside the kernel files, each of which is compiled for the CPU by itself: a thread pool.
#include "host.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <pthread.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace host {
namespace {

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

// How long a thread looks for what it waits for before it sleeps: the kernels of one operation follow each other within
// this time, and waking a thread takes about as long. Longer would take a core from llvmpipe.
constexpr auto kLook = std::chrono::microseconds(50);

// Whether `happened` before the time was up.
template <class Happened>
bool look_for(Happened happened) {
    typedef std::chrono::steady_clock Clock;
    const auto end = Clock::now() + kLook;
    for (;;) {
        for (int i = 0; i < 32; ++i) {
            if (happened()) return true;
            pause_briefly();
        }
        if (Clock::now() > end) return false;
    }
}

// One call of parallel(). Whoever takes the last index finds the job empty; a worker that wakes late touches
// nothing of the caller's, and nobody waits for it.
struct Job {
    Job(const std::function<void(int64_t)>& task, int64_t count) : task(task), count(count) {}

    void drain() {
        for (int64_t i; (i = next.fetch_add(1)) < count;) {
            task(i);
            if (finished.fetch_add(1) + 1 == count) { std::lock_guard<std::mutex> lock(mutex); done.notify_all(); }
        }
    }

    void wait() {
        if (look_for([this] { return finished == count; })) return;
        std::unique_lock<std::mutex> lock(mutex);
        done.wait(lock, [this] { return finished == count; });
    }

    const std::function<void(int64_t)>& task;
    const int64_t count;
    std::atomic<int64_t> next{0}, finished{0};
    std::mutex mutex;
    std::condition_variable done;
};

class Pool {
public:
    explicit Pool(int workers) {
        for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    }

    ~Pool() {
        { std::lock_guard<std::mutex> lock(mutex_); stop_ = true; ++jobs_; }
        wake_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    int workers() const { return (int)threads_.size(); }

    void run(int64_t count, const std::function<void(int64_t)>& task) {
        auto job = std::make_shared<Job>(task, count);
        { std::lock_guard<std::mutex> lock(mutex_); job_ = job; ++jobs_; }
        if (asleep_ > 0) wake_.notify_all();
        job->drain();
        job->wait();
        std::lock_guard<std::mutex> lock(mutex_);
        job_ = nullptr;
    }

private:
    void work() {
        uint64_t seen = 0;
        for (;;) {
            look_for([&] { return jobs_ != seen; });
            std::unique_lock<std::mutex> lock(mutex_);
            ++asleep_;
            wake_.wait(lock, [&] { return jobs_ != seen; });
            --asleep_;
            seen = jobs_;
            if (stop_) return;
            const std::shared_ptr<Job> job = job_;  // null: others have done it all
            lock.unlock();
            if (job) job->drain();
        }
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::shared_ptr<Job> job_;
    std::atomic<uint64_t> jobs_{0};  // that there were; written under the mutex
    std::atomic<int> asleep_{0};     // written under the mutex
    bool stop_ = false;
};

std::mutex* pool_mutex = new std::mutex;
Pool* pool = nullptr;  // never deleted at exit: a worker may still sleep in it

// GOMP_parallel of the OpenMP library that PyTorch loaded, or null. PyTorch's own threads spin for milliseconds
// after each of its operators; a second pool would fight them for the cores, the same threads answer at once.
typedef void (*GompParallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags);
GompParallel gomp_parallel = nullptr;

// OpenMP waits for every thread of its team, also for one that the system has put aside and that finds no work when
// it comes back: with more busy threads than cores, milliseconds each time. Our own pool waits for work, not for
// threads. So when the team is late, the next calls take the pool.
constexpr auto kLate = std::chrono::milliseconds(1);
constexpr int kCallsAfterLate = 256;
std::atomic<int> calls_without_openmp{0};

bool openmp_is_late() {
    int left = calls_without_openmp.load();
    while (left > 0 && !calls_without_openmp.compare_exchange_weak(left, left - 1)) {}
    return left > 0;
}

void run_on_openmp(int64_t count, int threads, const std::function<void(int64_t)>& task) {
    typedef std::chrono::steady_clock Clock;
    struct Call { Job job; std::atomic<Clock::rep> idle_since; } call{{task, count}, {0}};
    gomp_parallel([](void* data) {
        Call* call = static_cast<Call*>(data);
        call->job.drain();
        if (call->job.finished == call->job.count) {  // the first to see it
            Clock::rep unset = 0;
            call->idle_since.compare_exchange_strong(unset, Clock::now().time_since_epoch().count());
        }
    }, &call, threads, 0);
    if (Clock::now().time_since_epoch() - Clock::duration(call.idle_since.load()) > kLate) calls_without_openmp = kCallsAfterLate;
}

// A fork copies one thread only: the child forgets the parent's pool (and its lock), and OpenMP, which cannot
// restart its own after a fork.
void forget_threads_after_fork() { pool = nullptr; pool_mutex = new std::mutex; gomp_parallel = nullptr; }
const int at_fork = pthread_atfork(nullptr, nullptr, forget_threads_after_fork);

}  // namespace

void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task) {
    const int workers = (int)std::min<int64_t>(threads, count) - 1;
    if (workers >= 1 && gomp_parallel && !openmp_is_late()) {
        run_on_openmp(count, threads, task);
        return;
    }
    std::unique_lock<std::mutex> lock(*pool_mutex, std::defer_lock);
    // A second Python thread that calls while the pool is busy does its own work meanwhile.
    if (workers < 1 || !lock.try_lock()) {
        for (int64_t i = 0; i < count; ++i) task(i);
        return;
    }
    if (pool && pool->workers() != threads - 1) { delete pool; pool = nullptr; }
    if (!pool) pool = new Pool(threads - 1);
    pool->run(count, task);
}

}  // namespace host

// Use this GOMP_parallel from now on; null: threads of our own.
extern "C" void glrast_use_openmp(void* function) { host::gomp_parallel = (host::GompParallel)function; }

// Ask glibc to keep freed memory instead of returning it page by page: llvmpipe frees and takes several
// megabytes a frame, and the page faults cost a quarter of a frame; those of images beyond 32 MiB, which it would map
// anew each time, more than half. 1 when it was done.
extern "C" int glrast_keep_freed_memory(int64_t bytes) {
#ifdef __GLIBC__
    return mallopt(M_MMAP_MAX, 0) && mallopt(M_TRIM_THRESHOLD, (int)std::min<int64_t>(bytes, 1 << 30));
#else
    return 0;
#endif
}

// Whether this processor can run the library that is compiled for AVX2.
extern "C" int glrast_has_avx2() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") != 0;
#else
    return 0;
#endif
}
