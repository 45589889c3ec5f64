# make            build build/gradus          make check     set the machine up, run every test
# make demo       set up, build, calibrate    make lint      layers, format, headers on their own
# make bench      measure (minutes)           make install   DESTDIR= PREFIX=/usr/local
# make bench-full the same to 10^7 agents     make check-large   same bytes at 10^6 agents
# make bench-plan predicted beside measured  make bench-partition   England on 2 to 1,024 ranks
# make stress     full tier of reliability    make soak       SOAK=120 minutes of faults
# make DEBUG=1    assertions, -Og             make check-san, make check-valgrind
# make SAN=1      DEBUG and sanitizers        make format, make clean, make distclean
# make units      tests/test_*.c alone, without set-up and program
#
# V=1              show the commands
# WERROR=1         warnings are errors
# ONLY="dual rng"  tests whose file name contains one of these words
# MODULES="base"   tests linked with these modules alone: does a lower one stand by itself?
# JOBS=3           tests that run at a time (one more than cores)
# BUILD=/tmp/b     build elsewhere
# ARCH=            e.g. -march=native.  Not the default: result files have the same bits on every
#                  x86-64 machine only if all are compiled alike.

.DEFAULT_GOAL := all

# demo and check install packages first and then call make again, which finds them.
outer := demo check check-san check-valgrind setup clean distclean
ifneq ($(or $(filter-out $(outer),$(MAKECMDGOALS)),$(if $(MAKECMDGOALS),,all)),)
-include config.mk
endif

NAME    := gradus
VERSION := $(shell sed -n '/^AC_INIT/s/.*\[\([0-9.]*\)\].*/\1/p' configure.ac)
BUILD   := build$(if $(SAN),-san,$(if $(COV),-cov,$(if $(DEBUG),-debug)))
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
LIBDIR  ?= $(PREFIX)/lib
HDRDIR  ?= $(PREFIX)/include
AR      ?= ar
PYTHON  ?= python3
MPIEXEC ?= mpirun

# The bits of the results hang on these; they come after whatever CFLAGS says.
FLOAT := -ffp-contract=off -fno-math-errno -fno-trapping-math
WARN  := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wmissing-prototypes -Wvla \
         $(if $(WERROR),-Werror)
flags  = -std=gnu11 $(CFLAGS) $(ARCH) $(if $(SAN)$(DEBUG),-Og -DBASE_DEBUG) \
         $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all \
         -fno-omit-frame-pointer -rdynamic) $(if $(COV),-O1 --coverage -fprofile-update=atomic) $(FLOAT)
compile = $(CC) -Iinclude -Isrc $(CPPFLAGS) $(flags)
comma  := ,
hash   := \#
ifneq ($(filter -Ofast -ffast-math -funsafe-math-optimizations -fassociative-math,$(CFLAGS) $(ARCH)),)
$(error fast-math breaks the promise of equal bits: take it out of CFLAGS or ARCH)
endif

space   := $(subst ,, )
modules := $(if $(MODULES),$(MODULES),*)
find_c   = $(sort $(wildcard $(foreach m,$(modules),src/$m/*.c src/$m/*/*.c)))
objs     = $(patsubst %.c,$(BUILD)/%.o,$(1))
chosen   = $(if $(ONLY),$(foreach t,$(1),$(if $(strip $(foreach o,$(ONLY),$(findstring $o,$(notdir $t)))),$t)),$(1))

sources := $(find_c)
shim    := $(if $(SAN),$(BUILD)/tests/nodl.o)
library := $(BUILD)/lib$(NAME)$(if $(MODULES),-$(subst $(space),-,$(MODULES))).a
program := $(BUILD)/$(NAME)
helpers := $(call objs,tests/mpi_check.c $(sort $(wildcard tests/helper_*.c)))
tests   := $(patsubst %.c,$(BUILD)/%,$(call chosen,$(sort $(wildcard tests/test_*.c))))
scripts := $(call chosen,$(sort $(wildcard tests/check_*.sh tests/check_*.py)))
benches := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench_*.c)))
quiet    = $(if $(V),,@echo "  $(1)  $@";)

all: $(program)

$(program): $(call objs,src/main.c) $(library) $(shim)
	$(call quiet,LD)$(CC) $(flags) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(library): $(call objs,$(sources)) $(BUILD)/sources.txt
	$(call quiet,AR)$(RM) $@; $(AR) rcs $@ $(filter %.o,$^)

$(tests): $(BUILD)/%: $(BUILD)/%.o $(helpers) $(library) $(shim)
	$(call quiet,LD)$(CC) $(flags) $(LDFLAGS) $^ $(LDLIBS) $(TEST_LIBS) -o $@

$(benches): $(BUILD)/%: $(BUILD)/%.o $(library) $(shim)
	$(call quiet,LD)$(CC) $(flags) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/tests/%.o: private extra := $(TEST_CFLAGS)
$(BUILD)/%.o: %.c config.mk $(BUILD)/flags.txt
	@mkdir -p $(@D)
	$(call quiet,CC)$(compile) $(extra) $(WARN) -MMD -MP -c $< -o $@

# Version and commit reach only the files that speak of them, and only when they change.
versioned := $(shell grep -lE 'GRADUS_(VERSION|COMMIT)' $(sources) src/main.c 2>/dev/null)
$(call objs,$(versioned)): private extra := -include $(BUILD)/version.h
$(call objs,$(versioned)): $(BUILD)/version.h
commit = $(or $(shell test -e .git && git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null),unknown)

# Written anew only if the text differs, so that what depends on them stays.
keep = @mkdir -p $(@D); printf '%b' '$(1)' >$@.new; \
       if cmp -s $@.new $@; then $(RM) $@.new; else mv $@.new $@; fi
$(BUILD)/version.h: FORCE
	$(call keep,$(hash)define GRADUS_VERSION "$(VERSION)"\n$(hash)define GRADUS_COMMIT "$(commit)"\n)
$(BUILD)/flags.txt: FORCE
	$(call keep,$(compile)\n)
$(BUILD)/sources.txt: FORCE
	$(call keep,$(sources)\n)

# --- running

# Root may start MPI; more ranks than cores is normal here, and then waiting ranks must yield.
export OMPI_ALLOW_RUN_AS_ROOT := 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM := 1
export OMPI_MCA_rmaps_base_oversubscribe := 1
export OMPI_MCA_mpi_yield_when_idle := 1
export OMPI_MCA_hwloc_base_binding_policy := none

setting = GRADUS="$(abspath $(program))" BUILD="$(abspath $(BUILD))" MPIEXEC="$(MPIEXEC)" \
          PYTHON="$(PYTHON)" CC="$(CC)" JOBS="$(JOBS)" SAN="$(SAN)"
again = @+$(MAKE) --no-print-directory

setup:
	@sh .ci/setup

demo:
	@sh .ci/setup
	$(again) run-demo
run-demo: $(program)
	@$(setting) sh postprocess/demo.sh

check:
	@sh .ci/setup tools
	$(again) run-tests
run-tests: $(program) $(tests)
	@$(setting) sh tests/run.sh $(tests) $(scripts)

# Unit tests on one rank and on an odd count; under sanitizers each command, too.
check-san:
	@sh .ci/setup tools
	$(again) SAN=1 RANKS="1 3" units
coverage: # lines that tests reach: of the unit tests on one rank and of the quicker scripts, or ONLY=...
	$(again) COV=1 RANKS=1 run-tests ONLY="$(or $(ONLY),test_ clean errors failures files plan forms sweep restart census predict apart)"
	@$(PYTHON) tests/coverage.py build-cov
check-valgrind:
	@sh .ci/setup tools
	$(again) VALGRIND=1 RANKS="1 2" ONLY="$(or $(ONLY),real dual rng options progress h5 world)" units
units: $(tests) $(if $(SAN),$(program))
	@$(setting) VALGRIND="$(VALGRIND)" RANKS="$(RANKS)" sh tests/run.sh $(tests) \
	  $(if $(SAN),$(call chosen,tests/check_clean.sh))

bench: $(program) $(benches)
	@$(setting) sh tests/bench.sh
bench-full: $(program) $(benches)
	@$(setting) sh tests/bench.sh full
	$(again) bench-plan
bench-plan: $(program) # predicted beside measured on 1, 2, 4, 8 ranks here
	@$(setting) $(PYTHON) tests/bench_plan.py -output "$(abspath $(BUILD))/bench_plan.json"
bench-partition: $(program) # England on 2 to 1,024 ranks by each partitioner: minutes, needs ../shared/data
	@$(setting) sh tests/bench_partition.sh
stress: $(program) # the full tier of the reliability tests
	@$(setting) sh tests/stress.sh $(ONLY)
soak: $(program) # SOAK=minutes of runs disturbed at random
	@mkdir -p $(BUILD)/tmp/soak
	@$(setting) TEST_TMP="$(abspath $(BUILD))/tmp/soak" SOAK="$(SOAK)" SEED="$(SEED)" $(PYTHON) tests/soak.py
check-large: $(program)
	@$(setting) sh tests/large_same_bytes.sh
	@$(setting) $(PYTHON) tests/large_spa.py
	@$(setting) $(PYTHON) tests/large_compare.py
	@$(setting) $(PYTHON) tests/large_bias.py

england: $(program) # all of England and Massachusetts, from ../shared/data: minutes, 12 GB
	@$(setting) sh tests/large_england.sh

lint:
	@sh .ci/layers
	@clang-format --dry-run -Werror $$(find include src tests -name '*.[ch]')
	@for h in $$(find include src -name '*.h'); do \
	  $(compile) $(WARN) -Werror -fsyntax-only -x c "$$h" || exit 1; done

format: # as clang-format 14 does it
	clang-format -i $$(find include src tests -name '*.[ch]')

install: $(program) $(library)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(HDRDIR)/$(NAME)
	install $(program) $(DESTDIR)$(BINDIR)/$(NAME)
	install -m 644 $(library) $(DESTDIR)$(LIBDIR)/lib$(NAME).a
	install -m 644 include/$(NAME)/*.h $(DESTDIR)$(HDRDIR)/$(NAME)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@HDRDIR@|$(HDRDIR)|' \
	  -e 's|@VERSION@|$(VERSION)|' -e 's|@HDF5_MODULE@|$(HDF5_MODULE)|' \
	  -e 's|@HDF5_HL_LIBS@|$(HDF5_HL_LIBS)|' $(NAME).pc.in \
	  >$(DESTDIR)$(LIBDIR)/pkgconfig/$(NAME).pc

config.mk: configure src/config.mk.in
	./configure
configure: configure.ac
	@command -v autoreconf >/dev/null || { sh .ci/setup list; exit 1; }
	autoreconf -i

clean:
	$(RM) -r build build-debug build-san build-cov
distclean: clean
	$(RM) -r configure configure~ config.mk config.log config.status config.setup.log aclocal.m4 autom4te.cache

.PHONY: all setup demo run-demo check run-tests check-san check-valgrind coverage units bench bench-full bench-plan bench-partition stress soak check-large england lint \
        format install clean distclean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
