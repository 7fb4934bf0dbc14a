# The host command: host/ and the same stream/ as in the VMM.
HOST_C := $(wildcard host/*.c stream/*.c) devices/vga_font.c
HOST_OBJ := $(HOST_C:%.c=$(BUILD)/host/%.o)
HOST_LIBS := libpng libvncserver sdl2 zlib libzstd
HOST_CFLAGS := -std=gnu11 -O2 -g -I. -fstack-protector-strong -D_FORTIFY_SOURCE=2 $(WARN)
# Asked only when something of the host is built, so that a missing library is no concern of `make deps` or `make vmm`.
HOST_PKG_CFLAGS = $(shell pkg-config --cflags $(HOST_LIBS))
HOST_PKG_LIBS = $(shell pkg-config --libs $(HOST_LIBS))

host: $(BUILD)/tessera $(BUILD)/web/stamp

# The page of --view web: ours, and noVNC's library from Debian's package.
WEB_FILES := $(addprefix host/web/,index.html page.css page.js)
$(BUILD)/web/novnc: host/web/fetch.sh
	$(Q)sh host/web/fetch.sh $@

$(BUILD)/web/stamp: $(WEB_FILES) | $(BUILD)/web/novnc
	@mkdir -p $(@D)
	$(Q)cp $(WEB_FILES) $(@D)/ && touch $@

$(BUILD)/tessera: $(HOST_OBJ)
	$(Q)$(HOSTCC) -o $@ $(HOST_OBJ) $(HOST_PKG_LIBS)

$(BUILD)/host/%.o: %.c Makefile mk/host.mk
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(HOST_PKG_CFLAGS) -MMD -MP -c $< -o $@

# What the version is compiled into follows it.
$(BUILD)/version: .FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@
$(BUILD)/host/host/main.o $(BUILD)/vmm/boot/start.o $(BUILD)/vmm/vmm/panic.o: $(BUILD)/version
$(BUILD)/host/host/main.o: HOST_CFLAGS += -DTESSERA_VERSION='"$(VERSION)"'
.PHONY: .FORCE

-include $(HOST_OBJ:.o=.d)
