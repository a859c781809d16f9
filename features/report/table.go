package report

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// table is a table of numbers that scenarios add rows to, printed at the end of a run.
type table struct {
	title   string
	columns []string
	rows    []row
}

// None is a number that there is none of.
const None = -1

type row struct {
	name    string
	numbers []int
}

// Row adds a row to the table of a title, which all who add to it call by the same columns.
func Row(ctx context.Context, title string, columns []string, name string, numbers []int) {
	w, ok := ctx.Value(watchKey{}).(*watch)
	if !ok {
		return
	}
	c := w.console
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.tables, func(t *table) bool { return t.title == title })
	if i < 0 {
		i = len(c.tables)
		c.tables = append(c.tables, &table{title: title, columns: columns})
	}
	c.tables[i].rows = append(c.tables[i].rows, row{name, slices.Clone(numbers)})
}

// print writes the table with its rows in the order of their names, and the sums.
func (t *table) print(out io.Writer) {
	slices.SortFunc(t.rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	wide, all, sums := len("in all"), 0, make([]int, len(t.columns))
	for _, r := range t.rows {
		wide = max(wide, len(r.name))
		for i, n := range r.numbers {
			if n != None {
				sums[i] += n
				all += n
			}
		}
	}
	fmt.Fprintf(out, "\n%d %s\n%*s", all, t.title, wide, "")
	for _, c := range t.columns {
		fmt.Fprintf(out, "  %s", c)
	}
	for _, r := range append(t.rows, row{"in all", sums}) {
		fmt.Fprintf(out, "\n%-*s", wide, r.name)
		for i, n := range r.numbers {
			text := strconv.Itoa(n)
			if n == None {
				text = "-"
			}
			fmt.Fprintf(out, "  %*s", len(t.columns[i]), text)
		}
	}
	fmt.Fprintln(out)
}
