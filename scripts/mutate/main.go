// Command mutate finds out how much a program notices. It plants one fault at a time in a copy of some
// source files, builds the program with it, runs it, and counts the faults that the program did not
// pass over: those with which it ends in failure.
//
//	mutate -in simcard/isd -build ./cmd/cardcert -- run --sim sce7-scp03 --stop -- run --sim gp211-scp02 --stop
//
// Arguments that "--" parts are those of several runs, the ones after the others until one fails.
//
// Half of the faults are mechanical: each check that refuses a command is dropped, each status word is
// swapped for another. The others are planted by hand, in the files that -planted names. The source
// tree is not touched: the go command gets the changed file as an overlay.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	dirs    []string
	planted string
	build   string
	args    [][]string // of one run each
	number  int
	seed    uint64
	jobs    int
	timeout time.Duration
	least   float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func parse() (options, error) {
	var o options
	in := flag.String("in", "", "folders or files to plant mechanical faults in, separated by commas")
	flag.StringVar(&o.planted, "planted", "", "JSON `file` of faults planted by hand")
	flag.StringVar(&o.build, "build", "", "the program's package")
	flag.IntVar(&o.number, "n", 0, "try so many faults, chosen by the seed; 0 tries all")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the choice")
	flag.IntVar(&o.jobs, "jobs", 2, "faults at once")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Minute, "time for one run; one that takes longer is caught")
	flag.Float64Var(&o.least, "least", 0.95, "share of faults that have to be caught")
	flag.Parse()
	o.args = runs(flag.Args())
	if *in != "" {
		o.dirs = strings.Split(*in, ",")
	}
	if o.build == "" || o.jobs < 1 || (*in == "" && o.planted == "") {
		return o, errors.New("usage: mutate -in FOLDERS [-planted FILE] -build PACKAGE [flags] -- ARGUMENTS")
	}
	return o, nil
}

// runs splits the arguments at "--": the program is run with each part until one run fails.
func runs(args []string) [][]string {
	out := [][]string{nil}
	for _, a := range args {
		if a == "--" {
			out = append(out, nil)
			continue
		}
		out[len(out)-1] = append(out[len(out)-1], a)
	}
	return out
}

func run(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	faults, err := mechanical(o.dirs)
	if err != nil {
		return err
	}
	if o.planted != "" {
		byHand, err := readPlanted(o.planted)
		if err != nil {
			return err
		}
		faults = append(faults, byHand...)
	}
	fmt.Printf("%d faults, seed %d\n", len(faults), o.seed)
	faults = choose(faults, o.number, o.seed)
	results, err := try(ctx, o, faults)
	if err != nil {
		return err
	}
	return judge(results, o.least)
}

// choose takes n of the faults, in an order that the seed decides.
func choose(faults []fault, n int, seed uint64) []fault {
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	if n > 0 && n < len(faults) {
		faults = faults[:n]
	}
	return faults
}

// judge prints what became of the faults, and wants enough of them caught.
func judge(results []result, least float64) error {
	slices.SortFunc(results, func(a, b result) int { return strings.Compare(a.fault.String(), b.fault.String()) })
	counts := map[string][2]int{}
	caught, tried := 0, 0
	for _, r := range results {
		if r.invalid {
			fmt.Printf("no program: %s\n", r.fault)
			continue
		}
		c := counts[r.kind]
		c[1]++
		tried++
		if r.caught {
			c[0]++
			caught++
		} else {
			fmt.Printf("passed over: %s\n", r.fault)
		}
		counts[r.kind] = c
	}
	for _, kind := range []string{kindDrop, kindSwap, kindPlanted} {
		if c := counts[kind]; c[1] > 0 {
			fmt.Printf("%-8s %d of %d caught\n", kind, c[0], c[1])
		}
	}
	if tried == 0 {
		return errors.New("no fault was tried")
	}
	share := float64(caught) / float64(tried)
	fmt.Printf("all      %d of %d caught, %.1f %%\n", caught, tried, share*100)
	if share < least {
		return fmt.Errorf("%.1f %% caught, want %.1f %%", share*100, least*100)
	}
	return nil
}
