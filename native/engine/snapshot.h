// SPDX-License-Identifier: Apache-2.0
// The memory of an engine that has the program loaded, made at build time and carried in the binary: copied to a new
// arena and its addresses put right, it is that engine again. Reading and linking the same program from bytecode takes
// four times as long.
//
// How it is made (scripts/link_with_snapshot.sh): the binary is linked with room for a snapshot and run with
// SNAPSHOT_DUMP, which writes the arena of a booted engine. Two such dumps, by processes whose addresses differ, show
// which words are addresses: scripts/make_snapshot.c puts them together. The result goes into the room, so that every
// address stays as it was.
#pragma once
#include <stdint.h>

#include "engine.h"

/**
 * At the front of the section .snapshot. What follows, all of it aligned to its own size:
 *   u64 addresses[groups]   for each group of 64 words, which are addresses in the arena: they count from its beginning
 *   u64 wide[groups]        which have an upper half; addresses have none here
 *   u32 lower[64 * groups]
 *   u32 upper[uppers]       of the wide ones, in their order
 *   u32 program[programs]   the indexes of the words that are addresses of the program: they count from its beginning
 */
struct snapshot_header {
	char magic[8];
	uint32_t groups;
	uint32_t uppers;
	uint32_t programs;
	uint32_t populated; // of the arena, in bytes
	uint32_t engine;    // the offset of its struct engine
	uint32_t reserved;
};
#define SNAPSHOT_MAGIC "ERSNAP2"
#define SNAPSHOT_GROUP 64

/** What SNAPSHOT_DUMP writes: this, then `used` bytes of the arena. */
struct snapshot_dump {
	uint64_t arena, used, populated, engine;
	uint64_t program, program_end;
};
#define SNAPSHOT_DUMP "--dump-engine"

int snapshot_exists(void);

/** The engine of the snapshot; NULL where there is none, or no memory. */
struct engine *snapshot_restore(void);

/** Boots an engine from an archive of modules, loads these parts of the program (a NULL ends them), writes the dump. */
int snapshot_dump(const char *path, const char *archive, char **parts);
