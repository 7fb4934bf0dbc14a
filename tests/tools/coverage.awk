# gcovr's CSV (a header names its columns) and, in the variable `all`, the names of all sources: the
# coverage of each folder, the files below 80 %, and how many files of a folder no unit test links.
NR == 1 {
	for (i = 1; i <= NF; i++)
		column[$i] = i
	next
}
{
	file = $column["filename"]
	lines = $column["line_total"]
	covered = $column["line_covered"]
	folder = file
	sub("/.*", "", folder)
	total[folder] += lines
	hit[folder] += covered
	files[folder]++
	seen[file] = 1
	if (lines && covered < 0.8 * lines)
		low[++lows] = sprintf("  %-28s %5d of %5d lines %5.1f %%", file, covered, lines, 100 * covered / lines)
}
END {
	for (i = split(all, source, " "); i; i--) {
		folder = source[i]
		sub("/.*", "", folder)
		if (!(source[i] in seen))
			without[folder]++
		have[folder] = 1
	}
	printf "%-10s %6s %8s %8s %8s   %s\n", "folder", "files", "lines", "covered", "percent", "files that no unit test links"
	for (n = split("boot mm vmm devices stream host", order, " "); i < n;) {
		folder = order[++i]
		printf "%-10s %6d %8d %8d %7.1f%%   %d\n", folder, files[folder], total[folder], hit[folder], total[folder] ? 100 * hit[folder] / total[folder] : 0, without[folder]
		lines_all += total[folder]
		hit_all += hit[folder]
	}
	printf "%-10s %6s %8d %8d %7.1f%%\n", "all", "", lines_all, hit_all, 100 * hit_all / lines_all
	if (lows)
		print "below 80 %:"
	for (i = 1; i <= lows; i++)
		print low[i]
}
