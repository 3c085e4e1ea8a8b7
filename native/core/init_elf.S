// SPDX-License-Identifier: Apache-2.0
// edgerun-init (build/edgerun-init), carried inside: launch.c puts it into a sealed memfd.
	.section .rodata
	.balign 16
	.global er_init_elf, er_init_elf_size
	.hidden er_init_elf, er_init_elf_size
er_init_elf:
	.incbin "edgerun-init"
er_init_elf_end:
	.balign 4
er_init_elf_size:
	.long er_init_elf_end - er_init_elf
	.section .note.GNU-stack, "", %progbits
