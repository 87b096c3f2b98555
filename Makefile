# SPDX-License-Identifier: GPL-2.0-or-later
# Thin: meson builds, tests/ tests, this file only remembers the words.
BUILD ?= build
PREFIX ?= /usr
DESTDIR ?=
PYTHON = PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3
# Everything that clang-format keeps in shape.
SOURCES = $(shell find src tests -name '*.[ch]')

.PHONY: all build demo check bench soak fuzz format install uninstall clean help

all: build

build:
	@scripts/deps.sh build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --prefix=$(PREFIX) -Dtests=false
	@ninja -C $(BUILD)

# The two sites of README in network namespaces. Needs root; leaves nothing behind.
demo: build
	@$(PYTHON) tests/netns/demo.py

# Everything: build, style, unit tests, sanitizers, fuzzing, system tests. Needs root.
check:
	@scripts/deps.sh check
	@$(PYTHON) tests/run_all.py

# Speed, memory and start-up, beside kernel and XDP routing, kernel VXLAN and Open vSwitch. Needs root.
bench:
	@scripts/deps.sh bench
	@tests/bench/run

# The long runs: ten minutes of traffic, hundreds of SIGKILLs, long fuzzing. Needs root.
soak:
	@scripts/deps.sh check
	@$(PYTHON) tests/run_all.py --only build
	@$(PYTHON) tests/netns/soak.py

# make fuzz FUZZ_SECONDS=3600
FUZZ_SECONDS ?= 600
fuzz:
	@scripts/deps.sh check
	@$(PYTHON) tests/run_all.py --only build-fuzz,fuzz --fuzz-seconds $(FUZZ_SECONDS)

format:
	@clang-format -i $(SOURCES)

install:
	@test ! -f $(BUILD)/build.ninja || meson configure $(BUILD) --prefix=$(PREFIX)
	@$(MAKE) --no-print-directory build
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

uninstall:
	@ninja -C $(BUILD) uninstall

clean:
	@rm -rf build build-*

help:
	@sed -n 's/^\([a-z]*\):.*/make \1/p' Makefile
