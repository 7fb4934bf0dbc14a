# What users call: run, test, lint, format, install, help.
VIEW ?= auto
MACHINE ?= auto
PAGING ?= hap
GUEST ?= @demo
HEADS ?= 4
TIMEOUT ?=
PREFIX ?= /usr/local

.PHONY: run test lint format install help
run: all
	@mkdir -p $(BUILD)/run
ifeq ($(VIEW),none)
	$(BUILD)/tessera run $(GUEST) --machine $(MACHINE) --paging $(PAGING) --heads $(HEADS) --view none --screenshot $(BUILD)/run \
		$(TIMEOUT:%=--timeout %) -- once
	@echo "The heads' pictures are in $(BUILD)/run/:" && ls $(BUILD)/run/head?.png
else
	$(BUILD)/tessera run $(GUEST) --machine $(MACHINE) --paging $(PAGING) --heads $(HEADS) --view $(VIEW) $(TIMEOUT:%=--timeout %)
endif

$(BUILD)/tests/pngcrc: tests/tools/pngcrc.c
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -O2 $(WARN) -o $@ $< -lpng -lz

test: all $(UNIT_BIN) $(BUILD)/tests/pngcrc
	@sh tests/tools/deps.sh $(DEPS_TEST)
	@$(MAKE) --no-print-directory linux-files || echo "make test: no Linux to test with; that test is skipped"
	@BUILD=$(BUILD) ONLY="$(ONLY)" bash tests/run

.PHONY: test-time
test-time: all
	@$(MAKE) --no-print-directory linux-files || true
	@BUILD=$(BUILD) bash tests/time

.PHONY: test-failalloc
test-failalloc: all
	@set -e; for machine in $(or $(MACHINES),qemu); do for paging in hap shadow; do \
		bash tests/tools/failalloc.sh $(BUILD) $$machine $$paging 1; done; done

.PHONY: soak
soak: all linux-files
	@BUILD=$(BUILD) LENGTH="$(if $(filter command,$(origin SECONDS)),$(SECONDS),3600)" PAGING="$(PAGING)" SEED="$(SEED)" bash tests/soak

.PHONY: bench pictures
pictures: all linux-files
	@sh tests/tools/deps.sh $(DEPS_TEST) graphviz
	@sh tests/tools/pictures.sh $(BUILD) docs/pictures
	@bash tests/tools/guest-pictures.sh $(BUILD) docs/pictures

bench: all
	@BUILD=$(BUILD) CELLS="$(CELLS)" bash bench/run; status=$$?; \
	sh tests/tools/deps.sh valgrind; BUILD=$(BUILD) bash bench/codec && exit $$status

SOURCES := $(wildcard bench/*/*.[ch] boot/*.[ch] vmm/*.[ch] vmm/*/*.[ch] mm/*.[ch] devices/*.[ch] stream/*.[ch] host/*.[ch] guest-tests/*.c \
	guest-tests/*/*.[ch] tests/*/*.[ch])
lint:
	@sh tests/tools/deps.sh $(DEPS_LINT) $(DEPS_FUZZ)
	shellcheck -x bench/run bench/codec bench/kvm/run bench/kvm/init tests/run tests/time tests/soak tests/views.sh tests/traces.sh tests/watched.sh tests/linux.sh tests/hotplug.sh tests/tools/*.sh tests/nested/run tests/nested/inside tests/nested/init tests/nested/*.sh host/web/fetch.sh host/completion.bash guest-tests/linux/*.sh .ci/run boot/*.sh
	cppcheck -q --error-exitcode=1 --enable=warning,portability,performance --inline-suppr --std=c11 -I. --suppress=missingIncludeSystem \
		boot vmm mm devices stream host guest-tests tests bench
	@$(MAKE) --no-print-directory analyze $(FUZZ_BIN)

format:
	@sh tests/tools/deps.sh $(DEPS_LINT)
	clang-format -i $(SOURCES)

install: all
	install -D -m 755 $(BUILD)/tessera $(DESTDIR)$(PREFIX)/bin/tessera
	install -D -m 644 docs/tessera.1 $(DESTDIR)$(PREFIX)/share/man/man1/tessera.1
	install -D -m 644 host/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tessera
	install -D -m 644 $(BUILD)/tessera.elf $(DESTDIR)$(PREFIX)/share/tessera/tessera.elf
	install -D -m 644 $(BUILD)/tessera.iso $(DESTDIR)$(PREFIX)/share/tessera/tessera.iso
	install -d $(DESTDIR)$(PREFIX)/share/tessera/guest $(DESTDIR)$(PREFIX)/share/tessera/web
	cp -R $(addprefix $(BUILD)/web/,index.html page.css page.js $(if $(wildcard $(BUILD)/web/novnc),novnc)) $(DESTDIR)$(PREFIX)/share/tessera/web/
	install -m 644 $(BUILD)/guest/*.elf $(BUILD)/guest/*.bin $(BUILD)/guest/table.txt $(DESTDIR)$(PREFIX)/share/tessera/guest/

help:
	@echo "make                  the VMM (build/tessera.elf, .iso), the guest tests, the host command (build/tessera)"
	@echo "make deps [DRY=1]     install what is missing"
	@echo "make run [VIEW= MACHINE= GUEST= HEADS= TIMEOUT=]   the demo guest on four heads; VIEW=none: once, pictures in build/run"
	@echo "make linux            Debian's Linux: a shell on COM1 and one on each head (same variables)"
	@echo "make test [ONLY=PATTERN]   all tests; unit: only the host's"
	@echo "make test-nested [ONLY=PATTERN MACHINES=svm|vmx]   the VMM under QEMU/KVM, in QEMU TCG and in Bochs"
	@echo "make test-linux [ONLY=PATTERN ROUNDS=50]   Debian's Linux on every machine, heads plugged and unplugged: takes hours"
	@echo "make test-time        a minute of the guest's time against the host's clock"
	@echo "make test-failalloc   each allocation of the VMM's memory fails in turn (MACHINES=, default qemu)"
	@echo "make bench [CELLS=PATTERN]   what exits and the tracker cost, beside KVM; build/bench.json, build/bench.svg"
	@echo "make bench-kvm [MACHINES=qemu|bochs|bochs-svm]   KVM on the same emulated CPUs, for that"
	@echo "make fuzz [SECONDS=60 PROGRAMS=1000000 SEED=]  what reads hostile input, under libFuzzer, each so long; then fuzz-differ:"
	@echo "make fuzz-differ      so many random programs (or for SECONDS), which must end alike under every paging and bare"
	@echo "make soak [SECONDS=3600 PAGING= SEED=]  Linux, hot-plug, line errors, hosts that vanish, resets; every minute's pictures"
	@echo "make coverage         which lines the unit tests reach; build/coverage/index.html"
	@echo "make fuzz-guest [SECONDS=60 SEED= CASES=100]   a guest that attacks the VMM, in every cell in turn"
	@echo "make pictures         those of the README and of docs/guests.md, anew"
	@echo "make lint, format, install [DESTDIR= PREFIX=], clean"
