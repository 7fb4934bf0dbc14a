# What must be installed, and how: Debian's packages. Checked once for each list (a stamp in $(BUILD)); `make deps` installs what is missing.
DEPS := gcc binutils nasm pkg-config qemu-system-x86 bochs bochsbios vgabios grub-pc-bin grub-common xorriso mtools libvncserver-dev \
	libsdl2-dev libpng-dev zlib1g-dev libzstd-dev libcmocka-dev libzydis-dev libasan8 libubsan1 procps patch grub-invaders acpica-tools seabios \
	qemu-system-data
# For `make test` alone.
DEPS_TEST := ffmpeg chromium chromium-driver python3 curl xvfb xdotool tigervnc-viewer
DEPS_LINT := clang-format cppcheck shellcheck
DEPS_STAMP := $(BUILD)/deps.mk

.PHONY: deps
deps:
	@DRY="$(DRY)" sh tests/tools/deps.sh $(DEPS)

# make builds what it includes first, then starts again: so every other target finds its tools.
ifeq ($(filter deps help clean,$(MAKECMDGOALS)),)
include $(DEPS_STAMP)
endif
$(DEPS_STAMP): mk/deps.mk tests/tools/deps.sh
	@sh tests/tools/deps.sh $(DEPS)
	@mkdir -p $(@D) && touch $@
