// SPDX-License-Identifier: Apache-2.0
// Compiled filters by the digest of their input. A wrong filter is a weaker container, so an entry counts only when
// nobody but us can have written it and its content proves to be whole and of this key. Anything else is as if absent.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directories.h"
#include "io.h"
#include "seccomp.h"

/** What an entry begins with; the program follows. */
struct entry_header {
	char magic[8];
	unsigned char digest[crypto_hash_sha256_BYTES]; // of the key and the program
};
static const char magic[8] = "ERBPF\0\0\1";

#define MAX_ENTRY_BYTES (sizeof(struct entry_header) + BPF_MAXINSNS * ER_SECCOMP_INSTRUCTION_BYTES)
/** ".HEX.tmp" with its NUL; the entry's own name is HEX. */
#define NAME_BYTES (2 * ER_SECCOMP_KEY_BYTES + 6)

static void compute_digest(const unsigned char *key, const char *program, size_t size, unsigned char *digest)
{
	crypto_hash_sha256_state state;
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, key, ER_SECCOMP_KEY_BYTES);
	crypto_hash_sha256_update(&state, (const unsigned char *)program, size);
	crypto_hash_sha256_final(&state, digest);
}

/** The cache's descriptor, or -1 when it is not there or not ours alone. */
static int open_cache(const char *path)
{
	int fd = ER_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	struct stat info;
	if (fd >= 0 && (fstat(fd, &info) < 0 || info.st_uid != geteuid() || (info.st_mode & 077) != 0))
		er_close_at(&fd);
	return fd;
}

/** Reads an entry that only we can have written; -1 otherwise. */
static int read_entry(int directory_fd, const char *name, char **entry, size_t *size)
{
	er_auto_close int fd =
		ER_RETRY(openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
	struct stat info;
	if (fd < 0 || fstat(fd, &info) < 0)
		return -1;
	// A second link would be a second way to write it.
	if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022) != 0 || info.st_nlink != 1)
		return -1;
	return er_read_to_end(fd, MAX_ENTRY_BYTES, entry, size);
}

int er_seccomp_cache_read(const char *directory, const unsigned char key[ER_SECCOMP_KEY_BYTES], char **program,
                          size_t *size)
{
	er_auto_close int directory_fd = open_cache(directory);
	if (directory_fd < 0)
		return 0;
	char name[NAME_BYTES];
	sodium_bin2hex(name, sizeof name, key, ER_SECCOMP_KEY_BYTES);
	er_auto_free char *entry = NULL;
	size_t entry_size = 0;
	if (read_entry(directory_fd, name, &entry, &entry_size) < 0 || entry_size <= sizeof(struct entry_header))
		return 0;
	struct entry_header header;
	memcpy(&header, entry, sizeof header);
	size_t program_size = entry_size - sizeof header;
	unsigned char digest[sizeof header.digest];
	compute_digest(key, entry + sizeof header, program_size, digest);
	if (memcmp(header.magic, magic, sizeof magic) != 0 || memcmp(header.digest, digest, sizeof digest) != 0 ||
	    program_size % ER_SECCOMP_INSTRUCTION_BYTES != 0)
		return 0;
	memmove(entry, entry + sizeof header, program_size);
	*program = entry;
	*size = program_size;
	entry = NULL;
	return 1;
}

/** A file that did not exist, under a name that a killed predecessor may have left behind. */
static int create_temporary(int directory_fd, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = ER_RETRY(openat(directory_fd, name, flags, 0600));
	if (fd < 0 && errno == EEXIST && unlinkat(directory_fd, name, 0) == 0)
		fd = ER_RETRY(openat(directory_fd, name, flags, 0600));
	return fd;
}

void er_seccomp_cache_write(const char *directory, const unsigned char key[ER_SECCOMP_KEY_BYTES], const char *program,
                            size_t size)
{
	if (er_make_parents(directory, 0711) < 0 || (mkdir(directory, 0700) < 0 && errno != EEXIST))
		return;
	er_auto_close int directory_fd = open_cache(directory);
	if (directory_fd < 0)
		return;
	char name[NAME_BYTES], temporary[NAME_BYTES];
	sodium_bin2hex(name, sizeof name, key, ER_SECCOMP_KEY_BYTES);
	snprintf(temporary, sizeof temporary, ".%.*s.tmp", 2 * ER_SECCOMP_KEY_BYTES, name);
	er_auto_close int fd = create_temporary(directory_fd, temporary);
	if (fd < 0)
		return;
	struct entry_header header;
	memcpy(header.magic, magic, sizeof magic);
	compute_digest(key, program, size, header.digest);
	// Not synced: what a power cut tears fails its digest and is compiled again. rename(2) replaces a hostile entry.
	if (er_write_all(fd, (const char *)&header, sizeof header) < 0 || er_write_all(fd, program, size) < 0 ||
	    renameat(directory_fd, temporary, directory_fd, name) < 0)
		unlinkat(directory_fd, temporary, 0);
}
