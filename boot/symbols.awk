# From `nm -n` of the first link to the table of vmm/symbols.h, as NASM source. No input: an empty table, for the first link.
$2 ~ /^[tT]$/ { address[n] = $1; name[n] = $3; n++ }
END {
	print "section .symbols progbits alloc noexec nowrite align=8"
	print "global symbol_table, symbol_count, symbol_names"
	print "symbol_table:"
	offset = 0
	for (i = 0; i < n; i++) {
		print "\tdd 0x" address[i] ", " offset
		offset += length(name[i]) + 1
	}
	print "symbol_count:\tdd " n + 0
	print "symbol_names:"
	for (i = 0; i < n; i++)
		print "\tdb \"" name[i] "\", 0"
	print "\tdb 0"
}
