// SPDX-License-Identifier: Apache-2.0
// Room for the snapshot, in a section of its own, which objcopy fills without moving anything else (Makefile).
	.section .snapshot, "a", %progbits
	.balign 4096
	.global edgerun_snapshot
edgerun_snapshot:
	.space SNAPSHOT_BYTES
	.quad 0 // no magic, where there is no snapshot
	.section .note.GNU-stack, "", %progbits
