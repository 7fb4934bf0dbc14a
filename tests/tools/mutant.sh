#!/bin/sh
# mutant.sh PATCH DIR: puts a defect into a copy of the sources in DIR and runs the unit tests that the patch names. Ends with 0 when one
# of them fails, as it must; with 1, and a sentence, when all pass, or when the patch no longer fits.
set -eu
patch=$1 dir=$2
tests=$(sed -n 's/^test: //p' "$patch")
rm -rf "$dir"
mkdir -p "$dir/tests" "$dir/build"
cp -r Makefile mk boot vmm mm devices stream host guest-tests "$dir"
cp -r tests/unit tests/tools "$dir/tests"
cp "${BUILD:-build}/deps.mk" "$dir/build/deps.mk" 2>/dev/null || true
if ! patch -s -p1 -F0 -d "$dir" <"$patch"; then
	echo "$patch does not fit the sources any more"
	exit 1
fi
for t in $tests; do
	if ! make -s -C "$dir" BUILD=build "build/unit/$t" >"$dir/$t.build" 2>&1; then
		echo "$t does not compile with $patch: $(grep -m 1 error "$dir/$t.build")"
		exit 1
	fi
	if ! timeout 120 "$dir/build/unit/$t" >"$dir/$t.txt" 2>&1; then
		exit 0
	fi
done
echo "no test of $tests notices: $(head -n 1 "$patch")"
exit 1
