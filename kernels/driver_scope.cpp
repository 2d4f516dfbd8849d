// Keep Mesa's driver out of the process's global symbols; glrast/gl/scope.py says why.
//
// libEGL_mesa opens the driver by dlopen(".../swrast_dri.so", RTLD_NOW | RTLD_GLOBAL). No later call takes that back,
// so its reference to dlopen is pointed at a function that leaves RTLD_GLOBAL out. It stays: the next display that
// anybody opens through the same library would make the driver global after all.
#if defined(__linux__) && defined(__LP64__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // dl_iterate_phdr
#endif
#include <cstdint>
#include <cstring>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0  // glibc's alone
#endif

namespace {

// The libraries that open drivers. NVIDIA's are not among them: they bring no LLVM, and are left as they are.
const char* const kOpeners[] = {"libEGL_mesa.so", "libEGL.so", "libGLX_mesa.so", "libgbm.so", "dri_gbm.so"};

#if defined(__x86_64__)
constexpr uint64_t kSlot = R_X86_64_JUMP_SLOT, kData = R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
constexpr uint64_t kSlot = R_AARCH64_JUMP_SLOT, kData = R_AARCH64_GLOB_DAT;
#else
constexpr uint64_t kSlot = ~0u, kData = ~0u;  // unknown: no slot is found, nothing is changed
#endif

const char* base_name(const char* path) {
    const char* slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool is_driver(const char* path) {
    const char* name = path ? base_name(path) : "";
    return strstr(name, "_dri.so") || !strncmp(name, "libgallium", 10);
}

bool is_libc(const char* path) { return path && !strncmp(base_name(path), "libc", 4); }

// Whether the libraries of this process take malloc from libc. A program that is not relocatable, as Debian's Python, has
// a stub of that name, which stands for the address of whatever is found behind it: first what is preloaded.
bool malloc_is_libcs() {
    Dl_info found;
    void* address = dlsym(RTLD_DEFAULT, "malloc");
#ifdef __GLIBC__  // dladdr1 is its own
    const ElfW(Sym)* symbol = nullptr;
    if (!address || !dladdr1(address, &found, (void**)&symbol, RTLD_DL_SYMENT)) return false;
    if (!symbol || symbol->st_shndx != SHN_UNDEF) return is_libc(found.dli_fname);
    void* program = dlopen(nullptr, RTLD_LAZY);
    link_map* library = nullptr;
    if (!program || dlinfo(program, RTLD_DI_LINKMAP, &library)) return false;
    for (; library; library = library->l_next) {
        void* handle = *library->l_name ? dlopen(library->l_name, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
        if (!handle) continue;
        address = dlsym(handle, "malloc");  // its own, or of a library that it needs
        const bool own = address && dladdr(address, &found) && !strcmp(found.dli_fname, library->l_name);
        dlclose(handle);
        if (own) return is_libc(found.dli_fname);
    }
    return false;
#else
    return address && dladdr(address, &found) && is_libc(found.dli_fname);
#endif
}

// Another library has made its LLVM global (TensorFlow does): a driver opened now would take functions from it, unless
// it prefers its own. Not under a malloc of another library than libc: the driver would then mix the two.
bool must_prefer_its_own() { return dlsym(RTLD_DEFAULT, "_ZN4llvm11LLVMContextC1Ev") && malloc_is_libcs(); }

// A tail call, so that dlopen sees its real caller, by whose run path it looks for names without a slash.
void* open_locally(const char* path, int mode) {
    if (is_driver(path)) mode = (mode & ~RTLD_GLOBAL) | (must_prefer_its_own() ? RTLD_DEEPBIND : 0);
    return dlopen(path, mode);
}

struct Image {  // of a loaded library
    uintptr_t base, protected_from = 0, protected_to = 0;
    const ElfW(Dyn)* dynamic = nullptr;

    explicit Image(const dl_phdr_info* info) : base(info->dlpi_addr) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
            const ElfW(Phdr)& header = info->dlpi_phdr[i];
            if (header.p_type == PT_DYNAMIC) dynamic = (const ElfW(Dyn)*)(base + header.p_vaddr);
            if (header.p_type == PT_GNU_RELRO) {
                protected_from = base + header.p_vaddr;
                protected_to = protected_from + header.p_memsz;
            }
        }
    }

    // The value of a dynamic entry, 0 where there is none.
    uintptr_t value(ElfW(Sxword) tag) const {
        for (const ElfW(Dyn)* entry = dynamic; entry && entry->d_tag != DT_NULL; ++entry)
            if (entry->d_tag == tag) return entry->d_un.d_val;
        return 0;
    }

    // An address among them; glibc has added the base already, musl has not.
    uintptr_t address(ElfW(Sxword) tag) const {
        const uintptr_t found = value(tag);
        return found && found < base ? found + base : found;
    }

    bool write(void** slot, void* to) const {
        const uintptr_t at = (uintptr_t)slot, page = at & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);
        const size_t length = at + sizeof *slot - page;
        const bool read_only = at >= protected_from && at < protected_to;
        if (read_only && mprotect((void*)page, length, PROT_READ | PROT_WRITE)) return false;
        __atomic_store_n(slot, to, __ATOMIC_RELEASE);
        if (read_only) mprotect((void*)page, length, PROT_READ);
        return true;
    }

    // References to dlopen in a table of relocations that now lead to open_locally.
    int redirect(uintptr_t table, size_t bytes) const {
        const auto* symbols = (const ElfW(Sym)*)address(DT_SYMTAB);
        const auto* names = (const char*)address(DT_STRTAB);
        int count = 0;
        for (const auto *r = (const ElfW(Rela)*)table, *end = r + bytes / sizeof *r; r < end; ++r) {
            const uint64_t type = ELF64_R_TYPE(r->r_info);
            if (type != kSlot && type != kData) continue;
            if (strcmp(names + symbols[ELF64_R_SYM(r->r_info)].st_name, "dlopen")) continue;
            count += write((void**)(base + r->r_offset), (void*)open_locally);
        }
        return count;
    }
};

int redirect_in(dl_phdr_info* info, size_t, void* total) {
    const char* name = base_name(info->dlpi_name ? info->dlpi_name : "");
    for (const char* opener : kOpeners) {
        if (strncmp(name, opener, strlen(opener))) continue;
        const Image image(info);
        int& count = *(int*)total;
        if (image.value(DT_PLTREL) == DT_RELA)
            count += image.redirect(image.address(DT_JMPREL), image.value(DT_PLTRELSZ));
        count += image.redirect(image.address(DT_RELA), image.value(DT_RELASZ));
    }
    return 0;
}

}  // namespace

// How many references to dlopen, of the libraries loaded by now that open Mesa's drivers, lead to open_locally.
extern "C" int glrast_keep_drivers_local() {
    int count = 0;
    dl_iterate_phdr(redirect_in, &count);
    return count;
}

// For the same of other libraries: glrast/gl/scope.py, set_apart.
extern "C" int glrast_malloc_is_libcs() { return malloc_is_libcs(); }
#else
extern "C" int glrast_keep_drivers_local() { return 0; }
extern "C" int glrast_malloc_is_libcs() { return 0; }
#endif
