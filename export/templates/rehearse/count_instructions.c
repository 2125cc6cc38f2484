/* A plugin of qemu (API version 1): adds the instructions that the emulated processor executes to
 * a number at the start of a file, which the program in the emulator reads while it runs. The few
 * declarations stand for qemu-plugin.h, which Debian does not package. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
typedef uint64_t plugin_id;
enum operation { INLINE_ADD_U64 };
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block,
                                                     enum operation what, void *where,
                                                     uint64_t number);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                                  void (*call)(plugin_id, struct qemu_plugin_tb *));

EXPORT int qemu_plugin_version = 1;
static uint64_t *executed;

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, executed,
                                             qemu_plugin_tb_n_insns(block));
}

/* into=FILE */
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "into=", 5) != 0)
        return -1;
    int file = open(argv[0] + 5, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof *executed) != 0)
        return -1;
    executed = mmap(NULL, sizeof *executed, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (executed == MAP_FAILED)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
