# Debian's Linux as a guest: its kernel and an initramfs, made of packages that are unpacked into $(BUILD)/linux and not installed.
LINUX := $(BUILD)/linux
LINUX_FILES := $(LINUX)/vmlinuz $(LINUX)/initrd
DEPS_LINUX := cpio libc6-dev libdrm-dev
LINUX_DRIVERS := drm drm_kms_helper ttm drm_ttm_helper drm_vram_helper bochs evdev psmouse
LINUX_MEMORY ?= 512

.PHONY: linux linux-files
linux-files: $(LINUX_FILES)

$(LINUX)/vmlinuz: guest-tests/linux/fetch.sh
	@sh tests/tools/deps.sh $(DEPS_LINUX)
	sh guest-tests/linux/fetch.sh $(LINUX) linux-image-amd64 $(LINUX_DRIVERS)

LINUX_PROGRAMS := $(LINUX)/draw $(LINUX)/hotplug $(LINUX)/look
$(LINUX_PROGRAMS): $(LINUX)/%: guest-tests/linux/%.c guest-tests/linux/screen.c guest-tests/linux/screen.h
	@mkdir -p $(@D)
	$(Q)$(CC_VMM) -O2 $(WARN) -static $(shell pkg-config --cflags libdrm 2>/dev/null) -o $@ $(filter %.c,$^)

$(LINUX)/initrd: guest-tests/linux/initramfs.sh guest-tests/linux/init $(LINUX_PROGRAMS) $(LINUX)/vmlinuz
	sh guest-tests/linux/initramfs.sh $@ $(LINUX) guest-tests/linux/init $(LINUX_PROGRAMS)

# A shell on COM1 (this terminal) and one on each of the first four heads.
linux: all $(LINUX_FILES)
	$(BUILD)/tessera run $(LINUX)/vmlinuz --initrd $(LINUX)/initrd --memory $(LINUX_MEMORY) --machine $(MACHINE) --paging $(PAGING) \
		--heads $(HEADS) --view $(VIEW) $(TIMEOUT:%=--timeout %) -- console=tty0 console=ttyS0,115200 fbcon=map:0123 no_timer_check quiet

# What is too long for `make test`: every machine and paging.
.PHONY: test-linux
test-linux: all $(BUILD)/tests/pngcrc $(LINUX_FILES)
	@BUILD=$(BUILD) ONLY="$(ONLY)" ROUNDS="$(ROUNDS)" SUITE=linux bash tests/run
