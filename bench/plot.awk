# Draws what bench/run measured beside KVM as SVG. Input: bench/kvm.tsv or its like, then $BUILD/bench/rows.txt. One group of bars a row,
# in instructions on a logarithmic scale; one pair of bars a cell.
FNR == 1 { file++ }
file == 1 && /^#/ { next }
file == 1 && !columns { columns = NF; for (i = 2; i <= NF; i++) column[i] = $i; next }
file == 1 { for (i = 2; i <= NF; i++) peer[$1, column[i]] = $i; next }
(($5, $4) in peer) && peer[$5, $4] > 0 {
  if (!($5 in group)) { group[$5]; name[++groups] = $5 }
  cell = $1 " " $2 " " $3
  if (!(cell in cells)) { cells[cell]; label[++count] = cell }
  ours[$5, cell] = $6; kvm[$5, cell] = peer[$5, $4]
}

function x(v) { return left + (v < 1 ? 0 : log(v) / log(10)) * decade }
function bar(y, v, colour) { printf "<rect x='%d' y='%.1f' width='%.1f' height='4' fill='%s'/>\n", left, y, x(v) - left, colour }

END {
  left = 250; decade = 100; line = 10; head = 40
  for (g = 1; g <= groups; g++) { height += 24; for (c = 1; c <= count; c++) height += ((name[g], label[c]) in ours) * line }
  width = left + 7 * decade + 30
  printf "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' font-size='9'>\n", width, height + head + 20
  printf "<rect width='100%%' height='100%%' fill='white'/>\n<text x='10' y='16' font-size='12'>Instructions, Tessera (blue) beside KVM (grey); less is better</text>\n"
  for (d = 0; d <= 7; d++) {
    printf "<line x1='%d' y1='%d' x2='%d' y2='%d' stroke='#ddd'/>\n", left + d * decade, head - 4, left + d * decade, head + height
    printf "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n", left + d * decade, head - 8, d ? "1e" d : "1"
  }
  y = head
  for (g = 1; g <= groups; g++) {
    printf "<text x='10' y='%.1f' font-size='11' font-weight='bold'>%s</text>\n", y + 12, name[g]
    y += 16
    for (c = 1; c <= count; c++) {
      if (!((name[g], label[c]) in ours)) continue
      printf "<text x='%d' y='%.1f' text-anchor='end'>%s</text>\n", left - 6, y + 8, label[c]
      bar(y, ours[name[g], label[c]], "#2060c0")
      bar(y + 4.5, kvm[name[g], label[c]], "#999")
      printf "<text x='%.1f' y='%.1f'>%d : %d</text>\n", x(ours[name[g], label[c]] > kvm[name[g], label[c]] ? ours[name[g], label[c]] : kvm[name[g], label[c]]) + 4, y + 8, ours[name[g], label[c]], kvm[name[g], label[c]]
      y += line
    }
    y += 8
  }
  print "</svg>"
}
