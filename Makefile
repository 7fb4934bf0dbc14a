# Tessera. `make` builds the VMM, the guest tests and the host command; `make help` lists the rest.
BUILD ?= build
CROSS_COMPILE ?= $(if $(filter x86_64,$(shell uname -m)),,x86_64-linux-gnu-)
CC_VMM := $(CROSS_COMPILE)gcc
LD_VMM := $(CROSS_COMPILE)ld
OBJCOPY := $(CROSS_COMPILE)objcopy
NM := $(CROSS_COMPILE)nm
NASM ?= nasm
HOSTCC ?= gcc
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

MAKEFLAGS += --no-builtin-rules -j$(shell nproc 2>/dev/null || echo 2)
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all vmm host guest-tests unit
all: vmm guest-tests host

# make V=1 shows the commands.
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
include mk/deps.mk mk/vmm.mk mk/guest.mk mk/host.mk mk/unit.mk mk/coverage.mk mk/analyze.mk mk/fuzz.mk mk/test.mk mk/linux.mk mk/nested.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)
