"""Builds `mcastd._libbpf`: what the agent calls of libbpf, and what else it wants of Linux.

API mode: the C compiler holds these declarations against libbpf's own headers.
"""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
HEADERS = [HERE / "counters.h", HERE / "link_facts.h", HERE / "privileges.h"]

LIBBPF = """
struct bpf_map_create_opts { size_t sz; uint32_t map_flags; ...; };
int bpf_map_create(int type, const char *name, uint32_t key_size, uint32_t value_size,
                   uint32_t max_entries, const struct bpf_map_create_opts *opts);

struct bpf_prog_load_opts {
    size_t sz; int expected_attach_type; uint32_t prog_flags; uint32_t attach_btf_id;
    uint32_t log_level; uint32_t log_size; char *log_buf; ...;
};
int bpf_prog_load(int type, const char *name, const char *license, const struct bpf_insn *insns,
                  size_t count, struct bpf_prog_load_opts *opts);

struct bpf_link_create_opts { size_t sz; uint32_t flags; ...; };
int bpf_link_create(int prog_fd, int target_fd, int attach_type,
                    const struct bpf_link_create_opts *opts);
int bpf_obj_get_info_by_fd(int fd, void *info, uint32_t *info_len);
int bpf_prog_get_fd_by_id(uint32_t id);
int bpf_prog_query(int target_fd, int type, uint32_t query_flags, uint32_t *attach_flags,
                   uint32_t *prog_ids, uint32_t *prog_cnt);
int bpf_link_update(int link_fd, int new_prog_fd, const void *opts);
int bpf_link_detach(int link_fd);

int bpf_map_lookup_elem(int fd, const void *key, void *value);
int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags);
int bpf_map_delete_elem(int fd, const void *key);
int bpf_map_get_next_key(int fd, const void *key, void *next_key);

struct bpf_map_batch_opts { size_t sz; ...; };
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values,
                         uint32_t *count, const struct bpf_map_batch_opts *opts);

struct bpf_test_run_opts {
    size_t sz; const void *data_in; void *data_out; uint32_t data_size_in; uint32_t data_size_out;
    const void *ctx_in; void *ctx_out; uint32_t ctx_size_in; uint32_t ctx_size_out;
    uint32_t retval; int repeat; uint32_t duration; uint32_t flags; uint32_t cpu;
    uint32_t batch_size; ...;
};
int bpf_prog_test_run_opts(int prog_fd, struct bpf_test_run_opts *opts);

struct bpf_tc_hook { size_t sz; int ifindex; int attach_point; ...; };
struct bpf_tc_opts { size_t sz; int prog_fd; uint32_t flags; uint32_t prog_id; uint32_t handle;
                     uint32_t priority; ...; };
int bpf_tc_hook_create(struct bpf_tc_hook *hook);
int bpf_tc_hook_destroy(struct bpf_tc_hook *hook);
int bpf_tc_attach(const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts);
int bpf_tc_query(const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts);
int bpf_tc_detach(const struct bpf_tc_hook *hook, const struct bpf_tc_opts *opts);

int libbpf_num_possible_cpus(void);

int bpf_iter_create(int link_fd);

struct btf;
struct btf_type { uint32_t name_off; uint32_t info; uint32_t size; ...; };
struct btf_member { uint32_t name_off; uint32_t type; uint32_t offset; };
struct btf *btf__load_vmlinux_btf(void);
void btf__free(struct btf *btf);
int btf__find_by_name_kind(const struct btf *btf, const char *type_name, uint32_t kind);
const struct btf_type *btf__type_by_id(const struct btf *btf, uint32_t id);
const char *btf__name_by_offset(const struct btf *btf, uint32_t offset);
const struct btf_member *mcast_members(const struct btf_type *type);

struct sockaddr { unsigned short sa_family; ...; };
struct ifaddrs { struct ifaddrs *ifa_next; char *ifa_name; unsigned int ifa_flags;
                 struct sockaddr *ifa_addr; ...; };
int getifaddrs(struct ifaddrs **first);
void freeifaddrs(struct ifaddrs *first);
void mcast_silence(void);
void mcast_share_heap(void);
void mcast_trim_heap(void);
"""

SOURCE = """
#include <ifaddrs.h>
#include <malloc.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "counters.h"
#include "link_facts.h"
#include "privileges.h"

static int nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level; (void)format; (void)arguments;
    return 0;
}

/* libbpf writes to stderr what its return codes say as well. */
static void mcast_silence(void)
{
    libbpf_set_print(nothing);
}

/* glibc gives threads heaps of their own, each 64 MiB of address space that stays when they end. */
static void mcast_share_heap(void)
{
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
#endif
}

/* The members of a structure or union lie behind its type. */
static const struct btf_member *mcast_members(const struct btf_type *type)
{
    return btf_members(type);
}

static void mcast_trim_heap(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
"""

ffibuilder = FFI()
ffibuilder.cdef("struct bpf_insn { ...; };\n" + LIBBPF)
for header in HEADERS:
    ffibuilder.cdef(
        "\n".join(line for line in header.read_text().splitlines() if not line.startswith("#"))
    )
ffibuilder.set_source(
    "mcastd._libbpf",
    SOURCE,
    sources=["native/counters.c", "native/link_facts.c", "native/privileges.c"],
    include_dirs=[str(HERE)],
    libraries=["bpf"],
    extra_compile_args=["-std=gnu11", "-O2"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
