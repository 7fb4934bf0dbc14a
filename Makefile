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

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all vmm host guest-tests unit
all: vmm guest-tests host

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
include mk/vmm.mk mk/guest.mk mk/host.mk mk/unit.mk mk/deps.mk mk/test.mk

clean:
	rm -rf $(BUILD)
