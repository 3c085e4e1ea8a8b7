# SPDX-License-Identifier: Apache-2.0
# edgerun. `make help` lists the targets.

MAKEFLAGS += --no-builtin-rules --jobs=$(shell nproc)
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# Node from npm, where the distribution's is too old (scripts/install_deps.sh).
export PATH := $(CURDIR)/build/toolchain/bin:$(PATH)

PREFIX ?= /usr
# SANITIZE=1: build/asan/edgerun, with AddressSanitizer and UndefinedBehaviorSanitizer.
SANITIZE ?=
# SNAPSHOT=no: without a snapshot of the engine (native/engine/snapshot.h), which takes running what was built.
ESBUILD := node_modules/.bin/esbuild --log-level=warning

# --- flags
CC := gcc
STRICT := -std=gnu17 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wformat=2
HARDEN := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fno-common
SECTIONS := -ffunction-sections -fdata-sections
INCLUDES := -D_GNU_SOURCE -Inative -Ibuild -Ibuild/gen
LINK := -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,noexecstack
LIBRARIES := -lseccomp -lsodium -lmbedcrypto -lm

ifeq ($(SANITIZE),)
  OUT := build
  # Position-independent: 0.1 ms at each start, for an address that hostile input can't know.
  MODE := -O2 -fPIE -fno-asynchronous-unwind-tables $(HARDEN) $(SECTIONS)
  MODE_LINK := -static-pie -s $(LINK)
  QUICKJS_MODE := $(MODE)
else
  OUT := build/asan
  MODE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DEDGERUN_SANITIZE
  MODE_LINK := -fsanitize=address,undefined
  # QuickJS has undefined behaviour of its own, which compilers treat as it expects.
  QUICKJS_MODE := $(MODE) -fno-sanitize=undefined
endif

GENERATED := build/gen/stamp
QUICKJS := build/quickjs/source
# Of QuickJS, only the engine: not its libc module, not its shell.
QUICKJS_PARTS := quickjs dtoa libregexp libunicode cutils
QUICKJS_FLAGS = -D_GNU_SOURCE -DCONFIG_VERSION='"2025-04-26"' -fwrapv -funsigned-char -w

sources = $(wildcard native/$(1)/*.c)
objects = $(patsubst native/%.c,$(2)/%.o,$(call sources,$(1)))

# --- what there is to build
.PHONY: all edgerun addon owner
all: edgerun addon ## the device binary, and the Node package's files

edgerun: $(OUT)/edgerun ## build/edgerun: the device binary
addon: build/node/edgerun.node build/node/edgerun.mjs build/node/owner.mjs ## build/node: the N-API addon and the bundles for Node

# --- generated tables
$(GENERATED): scripts/generate.ts src/host/functions.ts src/plan/operations.ts | node_modules
	@mkdir -p $(@D)
	$(ESBUILD) scripts/generate.ts --bundle --platform=node --format=esm --outfile=build/generate.mjs
	node build/generate.mjs build/gen
	@touch $@

node_modules:
	scripts/install_deps.sh

# --- QuickJS
$(QUICKJS)/quickjs.c:
	scripts/fetch_quickjs.sh $(QUICKJS)

$(addprefix $(QUICKJS)/,dtoa.c libregexp.c libunicode.c cutils.c quickjs.h): $(QUICKJS)/quickjs.c ;

QUICKJS_OBJECTS := $(QUICKJS_PARTS:%=$(OUT)/quickjs/%.o)
$(QUICKJS_OBJECTS): $(OUT)/quickjs/%.o: $(QUICKJS)/%.c
	@mkdir -p $(@D)
	$(CC) $(QUICKJS_MODE) $(QUICKJS_FLAGS) -c -o $@ $<

ifeq ($(SANITIZE),)
build/compile_bytecode: scripts/compile_bytecode.c $(QUICKJS_OBJECTS)
	$(CC) -O2 -Wall -Wextra -Werror -isystem $(QUICKJS) -o $@ $^ -lm
endif

# --- the brain
# Depends on every source, for want of esbuild's own list; bundling takes a few hundredths of a second.
TYPESCRIPT := $(shell find src -name '*.ts' 2>/dev/null)

# What `--version` says (src/cli/version.ts).
VERSION := $(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' package.json)
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
BUILD_TIME := $(shell git log -1 --format=%ct 2>/dev/null)
LIBSECCOMP = $(shell echo SCMP_VER_MAJOR.SCMP_VER_MINOR.SCMP_VER_MICRO | $(CC) -E -P -include seccomp.h - | tail -n 1 | tr -d ' ')
DEFINES = --define:EDGERUN_VERSION='"$(VERSION)"' --define:EDGERUN_LIBSECCOMP='"$(LIBSECCOMP)"' \
  $(if $(COMMIT),--define:EDGERUN_COMMIT='"$(COMMIT)"') $(if $(BUILD_TIME),--define:EDGERUN_BUILD_TIME=$(BUILD_TIME))

# One module per part of the program (src/lifecycle/parts.ts); what parts share is in chunks, which they import.
PARTS := src/entry_device.ts \
  authority=src/lifecycle/authority.ts \
  checkpoint=src/checkpoint/part.ts \
  commands=src/cli/rare_commands.ts \
  launch=src/lifecycle/launch_part.ts \
  manifests=src/lifecycle/manifests.ts \
  mounts=src/lifecycle/mount_changes.ts \
  network=src/lifecycle/network.ts \
  rare=src/lifecycle/rare_part.ts \
  report=src/lifecycle/plan.ts \
  resources=src/lifecycle/resources_part.ts \
  special=src/lifecycle/special_part.ts

build/brain/stamp: $(TYPESCRIPT) $(GENERATED)
	rm -rf $(@D)
	$(ESBUILD) $(PARTS) --bundle --splitting --format=esm --platform=neutral --target=es2023 --minify-syntax $(DEFINES) --outdir=$(@D)
	@touch $@

# The parts that every start needs: the snapshot has them loaded, with the entry.
PARTS_AHEAD := launch
ifeq ($(SANITIZE),)
build/edgerun.bytecode: build/brain/stamp build/compile_bytecode
	build/compile_bytecode $@ build/brain/*.js

build/later/edgerun.bytecode: build/brain/stamp build/compile_bytecode
	@mkdir -p $(@D)
	build/compile_bytecode $@ build/brain/*.js --without entry_device.js $(PARTS_AHEAD:%=%.js)

build/make_snapshot: scripts/make_snapshot.c native/engine/snapshot.h native/engine/engine.h native/engine/binding.h | $(QUICKJS)/quickjs.c
	$(CC) -O2 -Wall -Wextra -Werror -Inative -isystem $(QUICKJS) -o $@ $<
else
build/edgerun.bytecode: build/brain/stamp
	$(MAKE) --no-print-directory SANITIZE= $@
endif

build/node/edgerun.mjs: $(TYPESCRIPT) $(GENERATED)
	$(ESBUILD) src/entry_node.ts --bundle --format=esm --platform=node --target=node20 $(DEFINES) --outfile=$@

build/node/owner.mjs: $(TYPESCRIPT) | node_modules
	$(ESBUILD) src/owner/main.ts --bundle --format=esm --platform=node --target=node20 --packages=external --outfile=$@

# --- edgerun-init: musl, so that what a container can see of edgerun is small
# musl-gcc looks only where musl's headers are; the kernel's are linked to from here.
KERNEL_HEADERS := build/kernel_headers/stamp
$(KERNEL_HEADERS):
	@mkdir -p $(@D)
	ln -sfn /usr/include/linux /usr/include/asm-generic $(@D)/
	ln -sfn $(firstword $(wildcard /usr/include/$(shell $(CC) -print-multiarch)/asm /usr/include/asm)) $(@D)/asm
	@touch $@

build/edgerun-init: $(call sources,init) $(wildcard native/init/*.h native/wire/*.h) $(KERNEL_HEADERS) $(GENERATED)
	musl-gcc -static -Os -s $(STRICT) $(HARDEN) $(SECTIONS) $(INCLUDES) -isystem build/kernel_headers $(LINK) -o $@ $(call sources,init)

# --- the hands and the engine
$(OUT)/obj/%.o: native/%.c $(GENERATED) | $(QUICKJS)/quickjs.c
	@mkdir -p $(@D)
	$(CC) $(STRICT) $(MODE) $(INCLUDES) -isystem $(QUICKJS) -MMD -MP -c -o $@ $<

# Where the engine has no snapshot, all of the program is bytecode.
SNAPSHOT := $(if $(SANITIZE),no,yes)
BYTECODE := $(if $(filter yes,$(SNAPSHOT)),build/later,build)/edgerun.bytecode

$(OUT)/obj/engine/bytecode.o: native/engine/bytecode.S $(BYTECODE)
	@mkdir -p $(@D)
	$(CC) -Wa,-I$(dir $(BYTECODE)) -c -o $@ $<

$(OUT)/obj/core/init_elf.o: native/core/init_elf.S build/edgerun-init
	@mkdir -p $(@D)
	$(CC) -Wa,-Ibuild -c -o $@ $<

$(OUT)/libcore.a: $(call objects,core,$(OUT)/obj) $(OUT)/obj/core/init_elf.o
	rm -f $@
	ar rcs $@ $^

ENGINE := $(call objects,engine,$(OUT)/obj) $(QUICKJS_OBJECTS) $(OUT)/libcore.a
LINK_ENGINE := $(CC) $(MODE_LINK) native/engine/snapshot.S
ifeq ($(SNAPSHOT),yes)
$(OUT)/edgerun: $(OUT)/obj/engine/bytecode.o $(ENGINE) native/engine/snapshot.S build/edgerun.bytecode build/make_snapshot scripts/link_with_snapshot.sh
	scripts/link_with_snapshot.sh $@ build/edgerun.bytecode "$(PARTS_AHEAD)" $(LINK_ENGINE) $< $(ENGINE) $(LIBRARIES)
else
$(OUT)/edgerun: $(OUT)/obj/engine/bytecode.o $(ENGINE) native/engine/snapshot.S
	$(LINK_ENGINE) -DSNAPSHOT_BYTES=0 -o $@ $< $(ENGINE) $(LIBRARIES)
endif

# --- the N-API addon
build/node/obj/%.o: native/%.c $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(STRICT) -O2 -fPIC -fvisibility=hidden $(HARDEN) $(INCLUDES) -isystem node_modules/node-api-headers/include \
	  -DNAPI_VERSION=8 -MMD -MP -c -o $@ $<

build/node/edgerun.node: $(call objects,core,build/node/obj) $(call objects,addon,build/node/obj) build/obj/core/init_elf.o
	$(CC) -shared -Wl,-z,relro,-z,now,-z,noexecstack -o $@ $^ $(LIBRARIES)

-include $(shell find build/obj build/asan build/node/obj -name '*.d' 2>/dev/null)

# --- tests (scripts/run_tests.ts adds the results up). TESTS=mounts,exec: only files with these in their names
export TESTS
NATIVE_TESTS := $(patsubst test/native/%.c,build/test/native/%,$(wildcard test/native/*_test.c)) \
  build/test/probe/edgerun build/asan/test/probe/edgerun

# Always with the sanitizers; libcore.a of the sanitizer build comes from a make of its own.
build/test/native/%: test/native/%.c build/asan/libcore.a
	@mkdir -p $(@D)
	$(CC) $(STRICT) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined $(INCLUDES) -isystem $(QUICKJS) -o $@ $< \
	  build/asan/libcore.a $(LIBRARIES)

ifeq ($(SANITIZE),)
ASAN_SOURCES := $(foreach part,core engine,$(call sources,$(part)) $(wildcard native/$(part)/*.h))
build/asan/libcore.a build/asan/test/probe/edgerun &: $(ASAN_SOURCES) $(wildcard test/native/probe/*.ts) build/edgerun-init build/compile_bytecode
	$(MAKE) --no-print-directory SANITIZE=1 build/asan/libcore.a build/asan/test/probe/edgerun
endif

# The device binary with a stand-in for the program (test/native/probe), for testing and measuring the engine.
$(OUT)/test/probe/edgerun: $(wildcard test/native/probe/*.ts) $(call objects,engine,$(OUT)/obj) $(QUICKJS_OBJECTS) \
  $(OUT)/libcore.a src/host/functions.ts src/errors.ts | build/compile_bytecode
	@mkdir -p $(@D)
	$(ESBUILD) test/native/probe/entry.ts --bundle --format=esm --platform=neutral --target=es2023 --outfile=$(@D)/entry_device.js
	build/compile_bytecode $(@D)/edgerun.bytecode $(@D)/entry_device.js
	$(CC) -Wa,-I$(@D) -c -o $(@D)/bytecode.o native/engine/bytecode.S
	$(LINK_ENGINE) -DSNAPSHOT_BYTES=0 -o $@ $(@D)/bytecode.o $(ENGINE) $(LIBRARIES)

RUN_TESTS := build/run_tests.mjs
$(RUN_TESTS): scripts/run_tests.ts scripts/node_tests.ts test/vm/suite.ts | node_modules
	$(ESBUILD) $< --bundle --format=esm --platform=node --outfile=$@

# The virtual machine's disk: a minute, and then kept.
build/vm/disk.ext4: test/vm/make_disk.sh
	test/vm/make_disk.sh $(@D)

.PHONY: check test test-unit test-native test-integration test-engines vm-test
check: $(RUN_TESTS) $(GENERATED) ## types, lint, format, and the rules for device code
	node $(RUN_TESTS) check

test-unit: addon $(RUN_TESTS) ## TypeScript without the machine
	node $(RUN_TESTS) unit

test-native: $(NATIVE_TESTS) edgerun build/node/edgerun.node $(RUN_TESTS) ## C, under the sanitizers, and both bindings
	node $(RUN_TESTS) native

# Newer than the one of Debian 12 and 13, which fail on new kernels.
TEST_CRIU := build/trees/criu/.packages
$(TEST_CRIU):
	scripts/fetch_debian_tree.sh testing $(@D) criu

test-integration: all $(RUN_TESTS) $(TEST_CRIU) ## containers on this machine (root)
	node $(RUN_TESTS) integration

test-engines: all $(RUN_TESTS) ## containerd, Docker and podman with edgerun, where they are installed (root)
	node $(RUN_TESTS) engines

test: deps ## everything that this machine can run; the last line is the sum
	$(MAKE) --no-print-directory all $(RUN_TESTS) $(NATIVE_TESTS) $(TEST_CRIU)
	node $(RUN_TESTS) check unit native integration engines vm conformance

vm-test: all $(RUN_TESTS) ## the integration tests in a virtual machine with systemd and cgroup v2, with both cgroup drivers (root)
	node $(RUN_TESTS) vm_all

# --- the rest
.PHONY: deps demo bench conformance fuzz install clean help
deps: ## install packages for building and testing (apt needs root)
	scripts/install_deps.sh

demo: deps ## a signed capability manifest, a real image, a container: what was granted, what was refused
	$(MAKE) --no-print-directory all
	scripts/demo.sh

build/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(STRICT) -O2 -static -s -o $@ $<

build/bench/bench.mjs: $(wildcard bench/*.ts) $(TYPESCRIPT) $(wildcard test/integration/support/*.ts) | node_modules
	$(ESBUILD) bench/bench.ts --bundle --format=esm --platform=node --target=node20 --outfile=$@

bench: edgerun build/bench/floor build/bench/measure build/bench/drive build/bench/bench.mjs ## edgerun, runc and crun side by side (BENCH=--quick, --check, ...)
	node build/bench/bench.mjs $(BENCH)

.PHONY: docs
docs: | node_modules ## what is generated of spec/ and docs/
	$(ESBUILD) scripts/generate_docs.ts --bundle --format=esm --platform=node --outfile=build/generate_docs.mjs
	node build/generate_docs.mjs .

.PHONY: bench-engines
bench-engines: all $(RUN_TESTS) ## 200 containers under Docker and containerd, 8 at a time, with edgerun, runc and crun (root)
	LOAD=200 TESTS=load test/integration/support/with_v1_hugetlb.sh node $(RUN_TESTS) engines

conformance: all ## other people's test suites
	conformance/run.sh

fuzz: ## the fuzzers, for a bounded time
	test/fuzz/run.sh

# Of the device binary, where this machine can run it, else of the same program on Node.
build/completion/stamp: build/edgerun
	@mkdir -p $(@D)
	program=build/edgerun; $$program --version >/dev/null 2>&1 || { $(MAKE) --no-print-directory addon && program="node bin/edgerun.mjs"; }; \
	$$program completion bash >$(@D)/edgerun && $$program completion zsh >$(@D)/_edgerun && \
	$$program completion fish >$(@D)/edgerun.fish
	@touch $@

install: edgerun build/completion/stamp ## DESTDIR= PREFIX=/usr
	install -D -m 0755 build/edgerun $(DESTDIR)$(PREFIX)/bin/edgerun
	install -D -m 0644 man/edgerun.8 $(DESTDIR)$(PREFIX)/share/man/man8/edgerun.8
	install -D -m 0644 build/completion/edgerun $(DESTDIR)$(PREFIX)/share/bash-completion/completions/edgerun
	install -D -m 0644 build/completion/_edgerun $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_edgerun
	install -D -m 0644 build/completion/edgerun.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/edgerun.fish

clean: ## everything but what was fetched
	find build -mindepth 1 -maxdepth 1 ! -name quickjs ! -name toolchain ! -name vm -exec rm -rf {} +
	rm -rf build/quickjs/*.o

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
