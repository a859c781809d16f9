package sampling

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func plan(t *testing.T, lot int, level Level, percent string, severity Severity) Plan {
	t.Helper()
	aql, err := ParseAQL(percent)
	require.NoError(t, err)
	p, err := New(lot, level, aql, severity)
	require.NoError(t, err)
	return p
}

// The numbers are those of ISO 2859-1:1999, Tables 1 and 2-A to 2-C.
func TestPlans(t *testing.T) {
	for _, c := range []struct {
		lot      int
		level    Level
		aql      string
		severity Severity
		letter   string
		n, ac    int
	}{
		{10000, "II", "0.65", Normal, "L", 200, 3},
		{10000, "II", "0.65", Tightened, "L", 200, 2},
		{10000, "II", "0.65", Reduced, "L", 80, 2},
		{10001, "II", "0.65", Normal, "M", 315, 5},
		{3200, "II", "0.65", Normal, "K", 125, 2},
		{1000, "II", "0.65", Normal, "J", 80, 1},
		{500, "II", "0.65", Normal, "J", 80, 1}, // arrow down from H
		{280, "II", "0.65", Normal, "F", 20, 0}, // arrow up from G
		{280, "II", "0.65", Tightened, "G", 32, 0},
		{500, "II", "0.65", Tightened, "K", 125, 1}, // two arrows down from H
		{1200, "II", "0.65", Reduced, "K", 50, 1},
		{10000, "S-4", "1.0", Normal, "H", 50, 1}, // arrow down from G
		{10000, "I", "2.5", Normal, "J", 80, 5},
		{10000, "III", "0.40", Normal, "M", 315, 3},
		{600000, "III", "0.010", Normal, "Q", 1250, 0}, // arrow up from R
		{600000, "III", "0.025", Tightened, "S", 3150, 1},
		{600000, "III", "0.015", Tightened, "Q", 1250, 0}, // down leads out of the table
		{600000, "III", "6.5", Normal, "L", 200, 21},      // arrows up
		{50, "II", "0.65", Normal, "F", 20, 0},
		{8, "II", "0.65", Normal, "F", 8, 0}, // more than there are: all of them
		{2, "I", "6.5", Normal, "A", 2, 0},
		{30, "II", "10", Normal, "D", 8, 2},
		{2, "II", "10", Normal, "C", 2, 1},
		{2, "II", "10", Tightened, "D", 2, 1},
	} {
		p := plan(t, c.lot, c.level, c.aql, c.severity)
		assert.Equal(t, Plan{
			LotSize: c.lot, Letter: c.letter, Severity: c.severity,
			Sample: c.n, Accept: c.ac, Reject: c.ac + 1,
		}, p, "%+v", c)
	}
}

func TestTheStricterTheInspectionTheFewerBadCardsPass(t *testing.T) {
	for i := range aqls {
		for _, lot := range []int{2, 90, 500, 3200, 10000, 35000, 500000, 1000000} {
			n, err := New(lot, "II", AQL(i), Normal)
			require.NoError(t, err)
			s, err := New(lot, "II", AQL(i), Tightened)
			require.NoError(t, err)
			r, err := New(lot, "II", AQL(i), Reduced)
			require.NoError(t, err)
			assert.LessOrEqual(t, r.Sample, n.Sample)
			assert.LessOrEqual(t, n.Sample, s.Sample)
			assert.LessOrEqual(t, float64(s.Accept)/float64(s.Sample),
				float64(n.Accept)/float64(n.Sample))
		}
	}
}

func TestQuestionsWithoutAPlan(t *testing.T) {
	_, err := ParseAQL("0.66")
	require.ErrorIs(t, err, ErrPlan)
	_, err = ParseAQL("NaN")
	require.ErrorIs(t, err, ErrPlan)
	for _, c := range []struct {
		lot      int
		level    Level
		aql      AQL
		severity Severity
	}{{1, "II", 0, Normal}, {100, "IV", 0, Normal}, {100, "II", -1, Normal}, {100, "II", 99, Normal}, {100, "II", 0, 7}} {
		_, err := New(c.lot, c.level, c.aql, c.severity)
		require.ErrorIs(t, err, ErrPlan)
	}
}

func TestJudge(t *testing.T) {
	p := plan(t, 10000, "II", "0.65", Normal)
	assert.Equal(t, Open, p.Judge(199, 3))
	assert.Equal(t, Accepted, p.Judge(200, 3))
	assert.Equal(t, Rejected, p.Judge(57, 4))
}

// lots adds lots with the given numbers of bad cards under whatever severity is due.
func lots(t *testing.T, s *Series, bad ...int) {
	t.Helper()
	aql, err := ParseAQL("0.65")
	require.NoError(t, err)
	for _, b := range bad {
		require.NoError(t, s.Add(plan(t, 10000, "II", "0.65", s.Severity), aql, b))
	}
}

func TestSwitching(t *testing.T) {
	t.Run("two of five refused: tightened, and five accepted: normal", func(t *testing.T) {
		var s Series
		lots(t, &s, 4, 0, 0, 0, 0, 4) // the sixth lot: only the last five count
		assert.Equal(t, Normal, s.Severity)
		lots(t, &s, 0, 0, 0, 4)
		assert.Equal(t, Tightened, s.Severity)
		lots(t, &s, 0, 0, 0, 0, 3, 0, 0, 0, 0) // tightened accepts 2
		assert.Equal(t, Tightened, s.Severity)
		lots(t, &s, 0)
		assert.Equal(t, Series{}, s)
	})
	t.Run("ten good lots: reduced may be asked for, and one refused: normal", func(t *testing.T) {
		var s Series
		lots(t, &s, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		assert.Equal(t, 27, s.Score)
		require.ErrorIs(t, s.Reduce(), ErrNotReduced)
		lots(t, &s, 2) // Ac is 2 at the next tighter limit
		assert.True(t, s.MayReduce())
		require.NoError(t, s.Reduce())
		lots(t, &s, 0, 2)
		assert.Equal(t, Reduced, s.Severity)
		lots(t, &s, 3)
		assert.Equal(t, Series{}, s)
	})
	t.Run("a lot that the tighter limit refuses ends the score", func(t *testing.T) {
		var s Series
		lots(t, &s, 0, 0, 3)
		assert.Zero(t, s.Score)
		assert.Equal(t, Normal, s.Severity)
	})
	t.Run("five refused under tightened inspection: no more", func(t *testing.T) {
		var s Series
		lots(t, &s, 9, 9, 9, 0, 9, 9, 9)
		assert.False(t, s.Stopped)
		lots(t, &s, 9)
		assert.True(t, s.Stopped)
		require.ErrorIs(t, s.Add(Plan{Severity: Tightened}, 0, 0), ErrStopped)
		s.Resume()
		assert.Equal(t, Series{Severity: Tightened}, s)
	})
	t.Run("a plan of another severity is refused", func(t *testing.T) {
		var s Series
		require.ErrorIs(t, s.Add(Plan{Severity: Reduced}, 0, 0), ErrPlan)
	})
	t.Run("irregular production ends reduced inspection", func(t *testing.T) {
		s := Series{Severity: Reduced}
		s.Irregular()
		assert.Equal(t, Series{}, s)
	})
}

func TestSeriesSurvivesJSON(t *testing.T) {
	in := Series{Severity: Tightened, Recent: []bool{true, false}, Refused: 1}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	var out Series
	require.NoError(t, json.Unmarshal(b, &out))
	assert.Equal(t, in, out)
	assert.Error(t, json.Unmarshal([]byte(`{"severity":"lenient"}`), &out))
}
