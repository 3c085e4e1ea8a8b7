// SPDX-License-Identifier: Apache-2.0
// The program's bytecode (build/edgerun.bytecode) as an object file.
	.section .rodata
	.balign 16
	.global edgerun_bytecode, edgerun_bytecode_end
edgerun_bytecode:
	.incbin "edgerun.bytecode"
edgerun_bytecode_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
